package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"io"
	"math"

	"golang.org/x/image/webp"
)

// decodeWebP decodes a still picture, or the first frame of an animation, which the decoder does
// not support. It extracts the frame from the container and passes it to the decoder in a container
// of its own, so that the sizes in the original container cannot differ from the decoded ones.
func decodeWebP(picture []byte, limits Limits) (*source, error) {
	container, err := readWebP(picture)
	if err != nil {
		return nil, err
	}
	header, err := webp.DecodeConfig(riff(container.bitstream))
	if err != nil {
		return nil, reject("its header cannot be read: %w", err)
	}
	if err := limits.check(header.Width, header.Height); err != nil {
		return nil, err
	}
	frame := image.Rect(0, 0, header.Width, header.Height).Add(container.offset)
	canvas := frame
	if container.animated {
		canvas = image.Rectangle{Max: container.canvas}
		if err := limits.check(canvas.Dx(), canvas.Dy()); err != nil {
			return nil, err
		}
		if !frame.In(canvas) {
			return nil, reject("its first frame is outside its canvas")
		}
	}
	chunks := [][]byte{container.bitstream}
	if container.alpha != nil {
		vp8x := extended(header.Width, header.Height)
		chunks = [][]byte{vp8x, container.alpha, container.bitstream}
	}
	decoded, err := webp.Decode(riff(chunks...))
	if err != nil {
		return nil, reject("it cannot be decoded: %w", err)
	}
	switch decoded := decoded.(type) {
	case *image.YCbCr:
		fullRange(decoded)
	case *image.NYCbCrA:
		fullRange(&decoded.YCbCr)
	}
	return &source{
		planes:      fromImage(decoded, canvas.Sub(container.offset)),
		orientation: orientationOf(picture, webpFormat),
		profile:     parseProfile(container.profile),
	}, nil
}

// fullRange expands brightness and colours from the limited (TV) range of WebP (RFC 6386, 9.2) to
// the full range of JPEG, which image.YCbCr uses. The decoder leaves that to its caller.
func fullRange(img *image.YCbCr) {
	var brightness, colour [256]uint8
	for i := range 256 {
		brightness[i] = uint8(min(max(math.Round(float64(i-16)*255/219), 0), 255))
		colour[i] = uint8(min(max(math.Round(float64(i-128)*255/224+128), 0), 255))
	}
	for i, v := range img.Y {
		img.Y[i] = brightness[v]
	}
	for _, plane := range [][]uint8{img.Cb, img.Cr} {
		for i, v := range plane {
			plane[i] = colour[v]
		}
	}
}

// A webpContainer holds the parts of a WebP file that are used.
type webpContainer struct {
	bitstream, alpha []byte // chunks with their headers
	animated         bool
	canvas, offset   image.Point // of an animation
	profile          []byte      // ICC
}

// Sizes of headers: https://developers.google.com/speed/webp/docs/riff_container.
const (
	riffHeader  = 12
	chunkHeader = 8
	frameHeader = 16
	flagAlpha   = 1 << 4
)

// readWebP reads the chunks of the file and of its first frame.
func readWebP(picture []byte) (webpContainer, error) {
	var found webpContainer
	if int64(binary.LittleEndian.Uint32(picture[4:]))+chunkHeader > int64(len(picture)) {
		return found, reject("it is truncated")
	}
	err := eachChunk(picture[riffHeader:], func(name string, chunk []byte) (more bool) {
		data := chunk[chunkHeader:]
		switch {
		case name == "VP8X" && len(data) >= 10:
			found.canvas = image.Pt(uint24(data[4:])+1, uint24(data[7:])+1)
		case name == "ICCP":
			found.profile = data
		case name == "ALPH":
			found.alpha = chunk
		case name == "VP8 " || name == "VP8L":
			found.bitstream = chunk
		case name == "ANMF" && len(data) >= frameHeader:
			found.animated = true
			found.offset = image.Pt(2*uint24(data), 2*uint24(data[3:]))
			_ = eachChunk(data[frameHeader:], func(name string, chunk []byte) bool {
				switch name {
				case "ALPH":
					found.alpha = chunk
				case "VP8 ", "VP8L":
					found.bitstream = chunk
				}
				return found.bitstream == nil
			})
		}
		return found.bitstream == nil
	})
	if found.bitstream == nil {
		if err == nil {
			err = reject("it contains no picture")
		}
		return found, err
	}
	return found, nil
}

// eachChunk calls visit with each RIFF chunk until visit returns false.
func eachChunk(chunks []byte, visit func(name string, chunk []byte) (more bool)) error {
	for len(chunks) >= chunkHeader {
		size := int64(binary.LittleEndian.Uint32(chunks[4:])) + chunkHeader
		if size > int64(len(chunks)) {
			return reject("it is truncated")
		}
		if !visit(string(chunks[:4]), chunks[:size]) {
			return nil
		}
		chunks = chunks[min(size+size%2, int64(len(chunks))):]
	}
	return nil
}

// riff returns a WebP file with the chunks.
func riff(chunks ...[]byte) io.Reader {
	var length int
	var parts []io.Reader
	for _, chunk := range chunks {
		parts = append(parts, bytes.NewReader(chunk))
		length += len(chunk)
		if len(chunk)%2 == 1 {
			parts = append(parts, bytes.NewReader([]byte{0}))
			length++
		}
	}
	header := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+length))
	header = append(header, "WEBP"...)
	return io.MultiReader(append([]io.Reader{bytes.NewReader(header)}, parts...)...)
}

// extended returns the VP8X chunk of a picture with alpha.
func extended(width, height int) []byte {
	chunk := append([]byte("VP8X\x0a\x00\x00\x00"), flagAlpha, 0, 0, 0)
	for _, side := range []int{width - 1, height - 1} {
		chunk = append(chunk, byte(side), byte(side>>8), byte(side>>16))
	}
	return chunk
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
