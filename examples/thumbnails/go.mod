module example.com/thumbnails

go 1.26.0
