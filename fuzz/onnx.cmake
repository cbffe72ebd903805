# ONNX files: the structure of the graph and every tensor in it.
add_executable(fuzz_onnx ${CMAKE_CURRENT_LIST_DIR}/onnx_fuzzer.cpp)
target_link_libraries(fuzz_onnx PRIVATE vitrum_formats)
target_link_options(fuzz_onnx PRIVATE -fsanitize=fuzzer)
vitrum_warnings(fuzz_onnx)

# From any file to the program of a small picture. The engine's planner without its backends, as in engine.cmake.
set(engine_dir ${PROJECT_SOURCE_DIR}/src/engine)
add_executable(fuzz_onnx_program ${CMAKE_CURRENT_LIST_DIR}/onnx_program_fuzzer.cpp ${engine_dir}/arena_planner.cpp
                                 ${engine_dir}/program.cpp ${engine_dir}/program_checks.cpp
                                 ${engine_dir}/step_needs.cpp ${engine_dir}/step_chains.cpp ${engine_dir}/strips.cpp)
target_include_directories(fuzz_onnx_program PRIVATE ${engine_dir} ${engine_dir}/include)
target_link_libraries(fuzz_onnx_program PRIVATE vitrum_importers vitrum_reference)
target_link_options(fuzz_onnx_program PRIVATE -fsanitize=fuzzer)
vitrum_warnings(fuzz_onnx_program)
