module github.com/seanchatmangpt/clnrm-perf

go 1.26.0

tool github.com/magefile/mage

require github.com/santhosh-tekuri/jsonschema/v6 v6.0.3

require (
	github.com/magefile/mage v1.17.2 // indirect
	golang.org/x/text v0.14.0 // indirect
)
