package configs

//go:generate go test -run TestWaybillYAML . -update
