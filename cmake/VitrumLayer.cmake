# A layer is a static library that exports its own include folder and nothing else, so that an include which
# skips the layering of docs/architecture.md finds no file and does not build. COMPUTES: tests spend their time in it, so
# that sanitizers get it optimised, without the marks of where a variable's scope ends: those keep every accumulator in
# memory, at an eighth of the speed (what outlives its scope there is left to -Wdangling-pointer). Precompiled headers
# would have to be so too. TOGETHER: no two files use one name for private things, so that sanitizers' builds may compile
# them together.
function(vitrum_layer name)
  cmake_parse_arguments(LAYER "COMPUTES;TOGETHER" "" "SOURCES;USES;PRIVATE" ${ARGN})
  add_library(vitrum_${name} STATIC ${LAYER_SOURCES})
  target_include_directories(vitrum_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include)
  target_link_libraries(vitrum_${name} PUBLIC ${LAYER_USES} PRIVATE ${LAYER_PRIVATE})
  vitrum_warnings(vitrum_${name})
  if(LAYER_COMPUTES AND VITRUM_SANITIZE)
    target_compile_options(vitrum_${name} PRIVATE -O2 -fno-sanitize-address-use-after-scope)
  else()
    vitrum_use_precompiled(vitrum_${name} vitrum_layer_headers)
  endif()
  if(NOT (LAYER_TOGETHER AND VITRUM_SANITIZE))
    vitrum_compile_apart(vitrum_${name})
  endif()
endfunction()

# CMAKE_UNITY_BUILD=ON, which ./test.sh and the sanitizers' run give, compiles the files of a target together: headers take
# most of the time. What is shipped is compiled file by file all the same, so that each one has to name all that it uses.
function(vitrum_compile_apart target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
endfunction()

# Builds for sanitizers, the slowest ones, parse the library headers that most files include once. The others do not:
# there each file has to name all that it uses, and g++ 12 forgets which headers are the system's, and warns of them.
function(vitrum_precompiled name)
  if(NOT VITRUM_SANITIZE OR VITRUM_FUZZ)
    return()
  endif()
  cmake_parse_arguments(PRECOMPILED "" "" "HEADERS;USES" ${ARGN})
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE fmt::fmt ${PRECOMPILED_USES})
  target_precompile_headers(${name} PRIVATE
    <algorithm> <array> <cmath> <cstddef> <cstdint> <cstring> <filesystem> <functional> <limits> <map> <memory>
    <optional> <span> <string> <string_view> <utility> <variant> <vector> <fmt/format.h> ${PRECOMPILED_HEADERS})
  vitrum_warnings(${name})
endfunction()

function(vitrum_use_precompiled target precompiled)
  if(TARGET ${precompiled})
    target_precompile_headers(${target} REUSE_FROM ${precompiled})
  endif()
endfunction()

function(vitrum_warnings target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wconversion;-Wno-sign-conversion>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)  # takes "text" + string for an overlap (GCC bug 105651)
  endif()
  if(VITRUM_SANITIZE)
    target_compile_options(${target} PUBLIC -fsanitize=${VITRUM_SANITIZE} -fno-omit-frame-pointer
                                            -fno-sanitize-recover=all)
    # What the address sanitizer reports by itself costs a third of the compile time when checked twice.
    target_compile_options(${target} PUBLIC -fno-sanitize=null,object-size,vptr)
    target_link_options(${target} PUBLIC -fsanitize=${VITRUM_SANITIZE})
  endif()
endfunction()
