# A layer is a static library that exports its own include folder and nothing else, so that an include which
# skips the layering of docs/architecture.md finds no file and does not build.
function(vitrum_layer name)
  cmake_parse_arguments(LAYER "" "" "SOURCES;USES;PRIVATE" ${ARGN})
  add_library(vitrum_${name} STATIC ${LAYER_SOURCES})
  target_include_directories(vitrum_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include)
  target_link_libraries(vitrum_${name} PUBLIC ${LAYER_USES} PRIVATE ${LAYER_PRIVATE})
  vitrum_warnings(vitrum_${name})
endfunction()

function(vitrum_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror)
  if(VITRUM_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${VITRUM_SANITIZE} -fno-omit-frame-pointer
                                            -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${VITRUM_SANITIZE})
  endif()
endfunction()
