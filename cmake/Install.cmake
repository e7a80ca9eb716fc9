# SPDX-License-Identifier: Apache-2.0
# Where the program, its papers, playbooks, Lua library and stubs go, and the
# Debian package.

install(TARGETS impound RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Papers keep their places, so that the links between them lead somewhere.
file(GLOB papers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  *.md docs/*.md docs/*.svg core/*/*.md collectors/*.md containment/*.md
  playbooks/*.md playbooks/*/*.md cases/*/*.md tests/*/*.md tests/bench/*/*.md)
foreach(paper IN LISTS papers)
  get_filename_component(place ${paper} DIRECTORY)
  install(FILES ${paper} DESTINATION ${CMAKE_INSTALL_DOCDIR}/${place})
endforeach()

# Manual pages and completion are what the program says of itself: it writes
# them while it is installed, so none of them can be older than it is.
set(self_description ${PROJECT_BINARY_DIR}/self-description)
install(CODE "
  file(REMOVE_RECURSE \"${self_description}\")
  file(MAKE_DIRECTORY \"${self_description}\")
  execute_process(COMMAND \"$<TARGET_FILE:impound>\" -q man-pages
    \"${self_description}/man1\" OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  foreach(shell bash zsh fish)
    execute_process(COMMAND \"$<TARGET_FILE:impound>\" completion \${shell}
      OUTPUT_FILE \"${self_description}/\${shell}\"
      COMMAND_ERROR_IS_FATAL ANY)
  endforeach()")
install(DIRECTORY ${self_description}/man1
  DESTINATION ${CMAKE_INSTALL_MANDIR})
install(FILES ${self_description}/bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME impound)
# zsh itself looks in site-functions, Debian's in vendor-completions as well.
foreach(folder site-functions vendor-completions)
  install(FILES ${self_description}/zsh
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${folder} RENAME _impound)
endforeach()
install(FILES ${self_description}/fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
  RENAME impound.fish)

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
