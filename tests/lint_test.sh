#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Format and language rules over the sources: clang-format, luacheck, and that
# every shell script parses. usage: lint_test.sh SOURCE
set -uo pipefail
cd "$1" || exit 1
failed=0
mapfile -t sources < <(git ls-files '*.cpp' '*.hpp' 2>/dev/null)
[ "${#sources[@]}" -gt 0 ] || mapfile -t sources < <(find core collectors containment lua tests cases -name '*.[ch]pp')
clang-format --dry-run -Werror "${sources[@]}" || failed=1
if command -v luacheck >/dev/null; then
  luacheck -q lua playbooks || failed=1
fi
for script in cases/demo cases/prepare cases/compile cases/scene.sh cases/*/run tests/all tests/run-ctest tests/pre-commit .ci/run tests/*.sh tests/cli/*.sh; do
  bash -n "$script" || failed=1
done
exit "$failed"
