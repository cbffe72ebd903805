# Weights files. The readers are built once more with the fuzzer's coverage.
foreach(target checkpoint checkpoint_pickle checkpoint_safetensors checkpoint_settings)
  add_executable(fuzz_${target} ${target}_fuzzer.cpp)
  target_link_libraries(fuzz_${target} PRIVATE vitrum_formats)
  target_include_directories(fuzz_${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/formats)
  target_link_options(fuzz_${target} PRIVATE -fsanitize=fuzzer)
endforeach()
