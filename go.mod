module github.com/seanchatmangpt/clnrm-perf

go 1.26.0

tool github.com/magefile/mage

require (
	github.com/BurntSushi/toml v1.6.0
	github.com/fsnotify/fsnotify v1.10.1
)

require (
	github.com/magefile/mage v1.17.2 // indirect
	golang.org/x/sys v0.13.0 // indirect
)
