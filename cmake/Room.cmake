# SPDX-License-Identifier: Apache-2.0
# impound_room(<name> [PUBLIC targets…] [PRIVATE targets…])
#
# One archive per room, of every .cpp file that lies in the calling folder or in
# a folder of it: a file belongs to a room by lying there. PRIVATE keeps a C
# library inside. All rooms read the same precompiled header.
function(impound_room name)
  cmake_parse_arguments(ROOM "" "FOLDER" "PUBLIC;PRIVATE" ${ARGN})
  if(NOT ROOM_FOLDER)
    set(ROOM_FOLDER ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${ROOM_FOLDER}/*.cpp ${ROOM_FOLDER}/*/*.cpp)
  if(sources)
    add_library(impound_${name} STATIC ${sources})
    target_link_libraries(impound_${name} PUBLIC impound_flags ${ROOM_PUBLIC}
                                          PRIVATE ${ROOM_PRIVATE})
    impound_precompiled(impound_${name} rooms)
  else()  # headers only, so far
    add_library(impound_${name} INTERFACE)
    target_link_libraries(impound_${name} INTERFACE impound_flags ${ROOM_PUBLIC})
  endif()
endfunction()
