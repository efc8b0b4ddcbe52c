module safe-harbor.example/parts/probe

go 1.26.0
