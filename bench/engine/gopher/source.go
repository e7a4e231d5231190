//go:build old

package main

import lua "github.com/yuin/gopher-lua"

// load compiles the script: gopher-lua of 2017, which Debian has, cannot share what it compiled.
func load(state *lua.LState) *lua.LFunction {
	function, err := state.LoadString(script)
	if err != nil {
		panic(err)
	}
	return function
}
