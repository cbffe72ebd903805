# Engine files, behind their checksums: a graph that gets past the rules of the IR must also make a program.
# The engine's own sources without its backends, which would take minutes to build for a fuzzer that never runs them.
set(engine_dir ${PROJECT_SOURCE_DIR}/src/engine)
add_executable(fuzz_engine engine_fuzzer.cpp ${engine_dir}/arena_planner.cpp ${engine_dir}/engine_file.cpp
                           ${engine_dir}/graph_json.cpp ${engine_dir}/program.cpp ${engine_dir}/program_checks.cpp
                           ${engine_dir}/step_needs.cpp ${engine_dir}/step_chains.cpp ${engine_dir}/strips.cpp)
target_include_directories(fuzz_engine PRIVATE ${engine_dir} ${engine_dir}/include)
target_link_libraries(fuzz_engine PRIVATE vitrum_reference nlohmann_json::nlohmann_json PkgConfig::XXHASH)
target_link_options(fuzz_engine PRIVATE -fsanitize=fuzzer)
vitrum_warnings(fuzz_engine)
