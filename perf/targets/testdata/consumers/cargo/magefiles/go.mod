module magefiles

go 1.26.0
