# SPDX-License-Identifier: Apache-2.0
# Where the program, playbooks, Lua library and stubs go, and the Debian package.

install(TARGETS impound RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES README.md LICENSE core/evidence/FORMAT.md core/casefile/SCHEMA.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "impound maintainers <impound@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
# Shared libraries are found from the binary itself.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# What VERIFY.sh of an export asks of the machine it runs on.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "sqlite3, zstd, openssl, xxd")
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR OFF)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
include(CPack)
