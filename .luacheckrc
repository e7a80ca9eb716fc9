-- SPDX-License-Identifier: Apache-2.0
std = "lua54"
max_line_length = 120
files["lua/api"] = { ignore = { "212", "241" } } -- stubs name arguments that nothing uses
files["lua/lib"] = { self = false } -- methods of ctx that need nothing of it
exclude_files = { "build*", "tests/golden" }
