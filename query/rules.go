package query

import "github.com/lupadb/lupa/query/internal/plan/optimize"

// Rules are the names of the planner's rules.
func Rules() []string { return optimize.Rules() }

// SwitchOff lets plans that are made from now on do without one of the planner's rules, ""
// for none, everywhere in the process. It is for tests: answers have to be the same.
func SwitchOff(rule string) { optimize.SwitchOff(rule) }
