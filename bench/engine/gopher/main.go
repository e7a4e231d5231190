// Measures gopher-lua at the work of bench/engine: decode a document, set a field, encode it, set a header.
//
// Prints a line of JSON: processor time per event in microseconds, of the whole process (the collector has threads of
// its own), one number for each batch, for a state that is made anew for each event and for one that stays.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	lua "github.com/yuin/gopher-lua"
)

const script = `
local data = json.decode(payload)
data.enriched = true
request.body = json.encode(data)
request.headers["X-Config"] = metadata.config_id
`

const (
	batches = 12
	events  = 200
)

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for name, item := range value {
			table.RawSetString(name, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

func fromLua(value lua.LValue) any {
	switch value := value.(type) {
	case lua.LBool:
		return bool(value)
	case lua.LNumber:
		return float64(value)
	case lua.LString:
		return string(value)
	case *lua.LTable:
		if length := value.MaxN(); length > 0 {
			list := make([]any, 0, length)
			for i := 1; i <= length; i++ {
				list = append(list, fromLua(value.RawGetInt(i)))
			}
			return list
		}
		object := map[string]any{}
		value.ForEach(func(name, item lua.LValue) { object[name.String()] = fromLua(item) })
		return object
	}
	return nil
}

func decode(state *lua.LState) int {
	var value any
	if err := json.Unmarshal([]byte(state.CheckString(1)), &value); err != nil {
		state.RaiseError("%s", err.Error())
	}
	state.Push(toLua(state, value))
	return 1
}

func encode(state *lua.LState) int {
	text, err := json.Marshal(fromLua(state.CheckAny(1)))
	if err != nil {
		state.RaiseError("%s", err.Error())
	}
	state.Push(lua.LString(text))
	return 1
}

func newState() *lua.LState {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath} {
		state.Push(state.NewFunction(open))
		state.Call(0, 0)
	}
	module := state.NewTable()
	module.RawSetString("decode", state.NewFunction(decode))
	module.RawSetString("encode", state.NewFunction(encode))
	state.SetGlobal("json", module)
	return state
}

func table(state *lua.LState, pairs ...string) *lua.LTable {
	result := state.NewTable()
	for i := 0; i < len(pairs); i += 2 {
		result.RawSetString(pairs[i], lua.LString(pairs[i+1]))
	}
	return result
}

func run(state *lua.LState, function *lua.LFunction, payload string) string {
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	request := table(state)
	request.RawSetString("headers", table(state))
	state.SetGlobal("payload", lua.LString(payload))
	state.SetGlobal("headers", table(state, "Content-Type", "application/json"))
	state.SetGlobal("metadata", table(state, "config_id", "shop", "webhook_id", "w"))
	state.SetGlobal("request", request)
	state.SetGlobal("config", table(state))
	state.Push(function)
	state.Call(0, 0)
	return request.RawGetString("body").String()
}

func cpuMicroseconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	total := usage.Utime.Nano() + usage.Stime.Nano()
	return float64(total) / 1e3
}

func measure(event func()) []float64 {
	times := make([]float64, batches)
	for batch := range times {
		before := cpuMicroseconds()
		for i := 0; i < events; i++ {
			event()
		}
		times[batch] = (cpuMicroseconds() - before) / events
	}
	return times
}

func main() {
	bytes, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	payload := string(bytes)
	reused := newState()
	function := load(reused)
	if body := run(reused, function, payload); !strings.Contains(body, `"enriched":true`) {
		panic(body)
	}
	result := map[string][]float64{
		"fresh": measure(func() {
			state := newState()
			run(state, load(state), payload)
			state.Close()
		}),
		"reused": measure(func() { run(reused, function, payload) }),
	}
	text, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}
