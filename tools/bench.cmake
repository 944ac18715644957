# divvy-bench, which `divvy bench` runs, and what tests/bench shares with it.

# divvy_bench_loops(TARGET OBJECT-LIBRARY PREFIX NAME SETTLE-MS flags...): the loops of peers for every level of
# instruction sets, as arrays PREFIX_<level>. Optimised in every configuration: a peer that is not would be none.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(DIVVY_BENCH_LEVELS x86-64 x86-64-v3 x86-64-v4)
else()
  set(DIVVY_BENCH_LEVELS baseline)
endif()
set(DIVVY_BENCH_LOOPS "${CMAKE_CURRENT_SOURCE_DIR}/divvy/bench_loops.c")
set(DIVVY_BENCH_CLANG_FLAGS -mprefer-vector-width=512 -fveclib=libmvec)
set(DIVVY_BENCH_LOOPS ${DIVVY_BENCH_LOOPS} PARENT_SCOPE)
set(DIVVY_BENCH_CLANG_FLAGS ${DIVVY_BENCH_CLANG_FLAGS} PARENT_SCOPE)
function(divvy_bench_loops target prefix name settle_ms)
  foreach(level ${DIVVY_BENCH_LEVELS})
    string(REPLACE "-" "_" suffix ${level})
    set(library ${prefix}_${suffix})
    add_library(${library} OBJECT ${DIVVY_BENCH_LOOPS})
    target_compile_definitions(${library} PRIVATE BENCH_PEERS=${library} BENCH_NAME="${name}"
      BENCH_SETTLE_MS=${settle_ms})
    target_compile_options(${library} PRIVATE -O3 -ffast-math ${ARGN})
    if(CMAKE_C_COMPILER_ID MATCHES Clang AND NOT level STREQUAL baseline)
      target_compile_options(${library} PRIVATE ${DIVVY_BENCH_CLANG_FLAGS})
    endif()
    if(NOT level STREQUAL baseline)
      target_compile_options(${library} PRIVATE -march=${level})
    endif()
    target_link_libraries(${library} PRIVATE divvy_flags)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${library}>)
  endforeach()
endfunction()

add_library(divvy_bench_rows STATIC divvy/bench_command.c divvy/bench_machine.c divvy/bench_measure.c
  divvy/bench_print.c divvy/bench_json.c divvy/bench_team.c divvy/bench_work.c divvy/bench_kinds.c divvy/bench_jobs.c
  divvy/bench_cores.c divvy/bench_found.c divvy/bench_devices.c)
target_include_directories(divvy_bench_rows PUBLIC divvy)
target_link_libraries(divvy_bench_rows PRIVATE divvy_flags PkgConfig::CJSON PUBLIC divvy_internal divvy_kernels m)
divvy_bench_loops(divvy_bench_rows bench_serial "serial C" 0 -fopenmp-simd)

add_executable(divvy_bench_tool divvy/bench_main.c)
set_target_properties(divvy_bench_tool PROPERTIES OUTPUT_NAME divvy-bench)
target_link_libraries(divvy_bench_tool PRIVATE divvy_flags divvy_bench_rows)
find_package(OpenMP COMPONENTS C)
if(OpenMP_C_FOUND)
  # libgomp's threads spin for some milliseconds after a region, libomp's for 200.
  if(CMAKE_C_COMPILER_ID MATCHES Clang)
    set(settle_ms 220)
  else()
    set(settle_ms 15)
  endif()
  separate_arguments(flags NATIVE_COMMAND "${OpenMP_C_FLAGS}")
  divvy_bench_loops(divvy_bench_tool bench_openmp "OpenMP" ${settle_ms} ${flags})
  target_compile_definitions(divvy_bench_tool PRIVATE
    BENCH_OPENMP="${CMAKE_C_COMPILER_ID} ${CMAKE_C_COMPILER_VERSION}")
  target_link_libraries(divvy_bench_tool PRIVATE ${OpenMP_C_LIBRARIES})
endif()
install(TARGETS divvy_bench_tool RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
