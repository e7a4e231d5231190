//go:build !old

package main

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

var compiled = compile()

func compile() *lua.FunctionProto {
	chunk, err := parse.Parse(strings.NewReader(script), "script")
	if err != nil {
		panic(err)
	}
	compiled, err := lua.Compile(chunk, "script")
	if err != nil {
		panic(err)
	}
	return compiled
}

// load makes a function of the script, which was compiled once for all states.
func load(state *lua.LState) *lua.LFunction {
	return state.NewFunctionFromProto(compiled)
}
