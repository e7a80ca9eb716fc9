# SPDX-License-Identifier: Apache-2.0
# Ordinary and hostile model files written by Debian's Python libraries.
add_executable(scan_folder scan_folder.cpp)
target_link_libraries(scan_folder PRIVATE impound_test_support impound_scan)
add_test(NAME real_scan
  COMMAND /usr/bin/python3 ${CMAKE_CURRENT_SOURCE_DIR}/scan_real.py
          $<TARGET_FILE:scan_folder>)
set_tests_properties(real_scan PROPERTIES
  LABELS real TIMEOUT 600 SKIP_RETURN_CODE 77)
