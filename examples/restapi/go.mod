module example.com/stones

go 1.26.0
