package imaging

import (
	"image"
	"image/color"
)

// planes are a picture in JPEG's representation: brightness, and unless it is grey two colours,
// which may have fewer samples. Pictures are scaled in it, without a conversion to RGB.
type planes struct {
	size   image.Point // in pixels
	planes []plane     // Y, or Y, Cb, Cr
}

// A plane holds samples in rows.
type plane struct {
	samples       []uint8
	stride        int // from a row to the next
	width, height int // in samples

	// spanX and spanY are how many samples the picture covers. The picture ends within the last
	// sample if its size is not a multiple of the pixels that share a sample.
	spanX, spanY float64
}

func newPlane(width, height int) plane {
	return plane{
		samples: make([]uint8, width*height), stride: width, width: width, height: height,
		spanX: float64(width), spanY: float64(height),
	}
}

// half returns the number of colour samples of a row or column in which two pixels share one.
func half(pixels int) int { return (pixels + 1) / 2 }

// newPlanes allocates a picture with 4:2:0 subsampling: two by two pixels share a colour.
func newPlanes(size image.Point, grey bool) *planes {
	p := &planes{size: size, planes: []plane{newPlane(size.X, size.Y)}}
	if grey {
		return p
	}
	for range 2 {
		c := newPlane(half(size.X), half(size.Y))
		c.spanX, c.spanY = float64(size.X)/2, float64(size.Y)/2
		p.planes = append(p.planes, c)
	}
	return p
}

// setShrunk records that the samples represent a picture of the size, and that each represents a
// square of shrink by shrink pixels.
func (p *planes) setShrunk(size image.Point, shrink int) {
	for i := range p.planes {
		c := &p.planes[i]
		// The span of Y was the decoded size; the other spans are proportional to it.
		c.spanX *= float64(size.X) / float64(shrink) / float64(p.size.X)
		c.spanY *= float64(size.Y) / float64(shrink) / float64(p.size.Y)
	}
	p.size = size
}

// image returns the picture for the encoder.
func (p *planes) image() image.Image {
	bounds := image.Rectangle{Max: p.size}
	y := p.planes[0]
	if len(p.planes) == 1 {
		return &image.Gray{Pix: y.samples, Stride: y.stride, Rect: bounds}
	}
	cb, cr := p.planes[1], p.planes[2]
	return &image.YCbCr{
		Y: y.samples, Cb: cb.samples, Cr: cr.samples, YStride: y.stride, CStride: cb.stride,
		SubsampleRatio: image.YCbCrSubsampleRatio420, Rect: bounds,
	}
}

// fromImage converts a decoder's result. The canvas is white where the image is transparent or does
// not cover it.
//
// Flattening on white before scaling gives the same result as scaling colours multiplied by alpha
// and flattening afterwards: no colour of a transparent pixel bleeds into its neighbours.
func fromImage(img image.Image, canvas image.Rectangle) *planes {
	switch img := img.(type) {
	case *image.Gray:
		p := &planes{size: canvas.Size()}
		p.planes = []plane{{
			samples: img.Pix, stride: img.Stride, width: canvas.Dx(), height: canvas.Dy(),
			spanX: float64(canvas.Dx()), spanY: float64(canvas.Dy()),
		}}
		return p
	case *image.YCbCr:
		if canvas == img.Rect && canvas.Min == (image.Point{}) {
			return fromYCbCr(img)
		}
	case *image.Gray16:
		p := newPlanes(canvas.Size(), true)
		for i := range p.planes[0].samples {
			p.planes[0].samples[i] = img.Pix[2*i] // big-endian
		}
		return p
	}
	p := newPlanes(canvas.Size(), false)
	y, cb, cr := p.planes[0], p.planes[1], p.planes[2]
	rows := [2][]uint8{make([]uint8, 3*canvas.Dx()), make([]uint8, 3*canvas.Dx())} // of RGB
	for top := 0; top < canvas.Dy(); top += 2 {
		pair := rows[:min(2, canvas.Dy()-top)]
		for i, row := range pair {
			readRow(img, canvas, canvas.Min.Y+top+i, row)
			line := y.samples[(top+i)*y.stride:]
			for x := range canvas.Dx() {
				line[x], _, _ = color.RGBToYCbCr(row[3*x], row[3*x+1], row[3*x+2])
			}
		}
		for x := range cb.width {
			var r, g, b, n int
			for _, row := range pair {
				for i := 6 * x; i < min(6*x+6, len(row)); i += 3 {
					r, g, b, n = r+int(row[i]), g+int(row[i+1]), b+int(row[i+2]), n+1
				}
			}
			at := top/2*cb.stride + x
			mean := func(sum int) uint8 { return uint8((sum + n/2) / n) }
			_, cb.samples[at], cr.samples[at] = color.RGBToYCbCr(mean(r), mean(g), mean(b))
		}
	}
	return p
}

func fromYCbCr(img *image.YCbCr) *planes {
	width, height := img.Rect.Dx(), img.Rect.Dy()
	shareX, shareY := 1, 1 // pixels that share a colour sample
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		shareX = 2
	case image.YCbCrSubsampleRatio420:
		shareX, shareY = 2, 2
	case image.YCbCrSubsampleRatio440:
		shareY = 2
	case image.YCbCrSubsampleRatio411:
		shareX = 4
	case image.YCbCrSubsampleRatio410:
		shareX, shareY = 4, 2
	}
	colour := func(samples []uint8) plane {
		return plane{
			samples: samples, stride: img.CStride,
			width: (width + shareX - 1) / shareX, height: (height + shareY - 1) / shareY,
			spanX: float64(width) / float64(shareX), spanY: float64(height) / float64(shareY),
		}
	}
	y := plane{
		samples: img.Y, stride: img.YStride, width: width, height: height,
		spanX: float64(width), spanY: float64(height),
	}
	return &planes{
		size:   image.Pt(width, height),
		planes: []plane{y, colour(img.Cb), colour(img.Cr)},
	}
}

// readRow writes a row of the canvas as RGB on white.
func readRow(img image.Image, canvas image.Rectangle, y int, rgb []uint8) {
	for i := range rgb {
		rgb[i] = 255
	}
	covered := img.Bounds().Intersect(canvas)
	if y < covered.Min.Y || y >= covered.Max.Y {
		return
	}
	rgb = rgb[3*(covered.Min.X-canvas.Min.X):]
	switch img := img.(type) {
	case *image.NRGBA:
		for x := covered.Min.X; x < covered.Max.X; x++ {
			p := img.Pix[img.PixOffset(x, y):][:4]
			alpha := int(p[3])
			for i := range 3 {
				rgb[i] = uint8((int(p[i])*alpha + 255*(255-alpha) + 127) / 255)
			}
			rgb = rgb[3:]
		}
	case *image.RGBA: // decoders return it only for opaque pictures
		for x := covered.Min.X; x < covered.Max.X; x++ {
			rgb = rgb[copy(rgb[:3], img.Pix[img.PixOffset(x, y):]):]
		}
	case image.RGBA64Image:
		for x := covered.Min.X; x < covered.Max.X; x++ {
			c := img.RGBA64At(x, y)
			white := uint32(0xffff - c.A)
			for i, v := range [3]uint16{c.R, c.G, c.B} {
				rgb[i] = uint8((uint32(v) + white) >> 8)
			}
			rgb = rgb[3:]
		}
	}
}
