# cmake --install: the command, libvitrum.so, its headers and a package file for find_package(vitrum).
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vitrum)
install(TARGETS vitrum EXPORT vitrum-targets)
set_target_properties(vitrum_command PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
install(TARGETS vitrum_command)
if(TARGET vitrum_cuda)
  install(TARGETS vitrum_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT vitrum-targets NAMESPACE vitrum:: DESTINATION ${package_dir})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/vitrum-config.cmake.in
                              ${CMAKE_CURRENT_BINARY_DIR}/vitrum-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/vitrum-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vitrum-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/vitrum-config-version.cmake
        DESTINATION ${package_dir})
