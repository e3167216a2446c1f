package main

// A function that does not compile; go test ./... does not look into testdata.
func main() { undefinedFunction() }
