# Arrays of numbers: .npy and .mat of format 5.
add_executable(fuzz_array ${CMAKE_CURRENT_LIST_DIR}/array_fuzzer.cpp)
target_link_libraries(fuzz_array PRIVATE vitrum_formats PkgConfig::HDF5)
target_include_directories(fuzz_array PRIVATE ${PROJECT_SOURCE_DIR}/src/formats)
target_link_options(fuzz_array PRIVATE -fsanitize=fuzzer)
vitrum_warnings(fuzz_array)
