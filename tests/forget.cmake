# What one test learns must not change what another does, nor what the user keeps: every test of the folder that calls
# this, unless it says otherwise itself, keeps nothing between runs.
function(divvy_tests_forget)
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test IN LISTS tests)
    get_property(environment TEST ${test} PROPERTY ENVIRONMENT)
    if(NOT environment MATCHES "DIVVY_MODELS=")
      set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT DIVVY_MODELS=off)
    endif()
  endforeach()
endfunction()
