# divvy_add_kernels(TARGET file.cl...): builds files of kernels into a target and lets its sources include them.
#
#     find_package(divvy REQUIRED)
#     add_executable(app main.c)
#     target_link_libraries(app PRIVATE divvy::divvy)
#     divvy_add_kernels(app saxpy.cl)
#
# set_source_files_properties(pricing.cl PROPERTIES DIVVY_FAST_MATH ON) builds a file with fast math. Kernels are
# optimised in every configuration but Debug; CMAKE_C_FLAGS and DIVVY_SANITIZE apply to them too. The compiler is
# CMAKE_C_COMPILER, or cc for a project without C.

cmake_policy(VERSION 3.22)

function(divvy_add_kernels target)
  if(TARGET divvy_compile_tool) # in the build of divvy itself
    set(compile $<TARGET_FILE:divvy_compile_tool>)
    set(tool divvy_compile_tool)
  else()
    set(compile $<TARGET_FILE:divvy::command> compile)
    set(tool $<TARGET_FILE:divvy::command>)
  endif()
  set(flags "${CMAKE_C_FLAGS}")
  if(DIVVY_SANITIZE)
    string(APPEND flags " -fsanitize=${DIVVY_SANITIZE} -fno-omit-frame-pointer")
  endif()
  string(APPEND flags "$<$<CONFIG:Debug>: -O1 -g>$<$<CONFIG:RelWithDebInfo>: -g>")

  foreach(file IN LISTS ARGN)
    get_filename_component(source "${file}" ABSOLUTE)
    get_filename_component(name "${file}" NAME_WE)
    get_filename_component(folder "${source}" DIRECTORY)
    set(object "${CMAKE_CURRENT_BINARY_DIR}/${target}.kernels/${name}.o")
    get_source_file_property(fast_math "${file}" DIVVY_FAST_MATH)
    set(options)
    if(fast_math)
      list(APPEND options --fast-math)
    endif()

    file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/${target}.kernels")
    add_custom_command(OUTPUT "${object}"
      COMMAND "${CMAKE_COMMAND}" -E env "CC=${CMAKE_C_COMPILER}" ${compile} "${source}" -o "${object}"
        --depfile "${object}.d" --include-dir "$<TARGET_PROPERTY:divvy::divvy,INTERFACE_INCLUDE_DIRECTORIES>"
        --cflags "${flags}" ${options}
      DEPENDS "${source}" ${tool}
      DEPFILE "${object}.d"
      COMMENT "Compiling kernels ${file}"
      VERBATIM)
    set_source_files_properties("${object}" PROPERTIES GENERATED ON EXTERNAL_OBJECT ON)
    target_sources(${target} PRIVATE "${object}")
    target_include_directories(${target} PRIVATE "${folder}")
  endforeach()

  # Properties, since target_link_libraries would decide whether the caller may say PRIVATE.
  set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARIES m)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL STATIC_LIBRARY)
    set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES "$<LINK_ONLY:m>")
  endif()
endfunction()
