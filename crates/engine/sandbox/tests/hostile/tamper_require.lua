-- script_runtime_error
require = nil
require('json')
