// Package pact holds the tests with Pact, behind the build tag pact: a consumer's test in which
// the client of package client books appointments and writes contracts/pacts, and a provider's
// test that verifies the mock against that pact and against the one that is exported.
//
// They link a native library, which make test-pact fetches and checks; nothing else of the
// module does. With the tag pactcommand the command pact verifies the same pacts without cgo.
package pact
