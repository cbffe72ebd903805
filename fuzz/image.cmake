#   fuzz_image -max_len=16384 NEW_CASES fuzz/corpus/image
add_executable(fuzz_image ${CMAKE_CURRENT_LIST_DIR}/image_fuzzer.cpp)
target_link_libraries(fuzz_image PRIVATE vitrum_image)
target_link_options(fuzz_image PRIVATE -fsanitize=fuzzer)
vitrum_warnings(fuzz_image)
