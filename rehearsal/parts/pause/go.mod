module safe-harbor.example/parts/pause

go 1.26.0
