# ONNX files: the structure of the graph and every tensor in it.
add_executable(fuzz_onnx ${CMAKE_CURRENT_LIST_DIR}/onnx_fuzzer.cpp)
target_link_libraries(fuzz_onnx PRIVATE vitrum_formats)
target_link_options(fuzz_onnx PRIVATE -fsanitize=fuzzer)
vitrum_warnings(fuzz_onnx)
