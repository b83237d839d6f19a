module github.com/seanchatmangpt/clnrm-perf

go 1.26.0

tool github.com/magefile/mage

require golang.org/x/sys v0.49.0

require github.com/magefile/mage v1.17.2 // indirect
