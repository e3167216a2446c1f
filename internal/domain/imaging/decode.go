package imaging

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/png"
)

// A source is a decoded picture as it is stored: not yet upright, not yet in sRGB.
type source struct {
	*planes
	orientation orientation
	profile     *profile // nil for sRGB
}

// upright returns the size of the upright picture.
func (s *source) upright() image.Point {
	if s.orientation.transposes() {
		return image.Pt(s.size.Y, s.size.X)
	}
	return s.size
}

// decode decodes a picture of any supported format. maxWidth is the width of its widest thumbnail.
func decode(picture []byte, maxWidth int, limits Limits) (*source, error) {
	if int64(len(picture)) > limits.Bytes {
		return nil, reject("it has %d bytes, more than %d", len(picture), limits.Bytes)
	}
	return recoverPanic(func() (*source, error) {
		switch {
		case bytes.HasPrefix(picture, []byte("\xff\xd8\xff")):
			return decodeJPEG(picture, maxWidth, limits)
		case bytes.HasPrefix(picture, []byte("\x89PNG\r\n\x1a\n")):
			return decodePNG(picture, limits)
		case bytes.HasPrefix(picture, []byte("GIF87a")), bytes.HasPrefix(picture, []byte("GIF89a")):
			return decodeGIF(picture, limits)
		case len(picture) >= riffHeader &&
			string(picture[:4]) == "RIFF" && string(picture[8:riffHeader]) == "WEBP":
			return decodeWebP(picture, limits)
		}
		return nil, reject("it is not a JPEG, PNG, GIF or WebP file")
	})
}

// recoverPanic calls decode and turns a panic into a rejection. Decoders are third-party code that
// processes untrusted bytes, and a picture that makes one panic would do so at every retry. The
// code after decoding is ours; its panics must not be hidden here.
func recoverPanic(decode func() (*source, error)) (decoded *source, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			decoded, err = nil, reject("its decoder panicked: %v", cause)
		}
	}()
	return decode()
}

// reject returns an error that wraps ErrRejected.
func reject(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRejected}, args...)...)
}

// check rejects a picture by the size in its header.
func (l Limits) check(width, height int) error {
	switch {
	case width < 1 || height < 1:
		return reject("it is empty: %d × %d pixels", width, height)
	case width > maxSide || height > maxSide:
		return reject("it has %d × %d pixels, more than %d on a side", width, height, maxSide)
	case width > l.Pixels/height:
		return reject("it has %d × %d pixels, more than %d in total", width, height, l.Pixels)
	}
	return nil
}

func decodePNG(picture []byte, limits Limits) (*source, error) {
	header, err := png.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return nil, reject("its header cannot be read: %w", err)
	}
	if err := limits.check(header.Width, header.Height); err != nil {
		return nil, err
	}
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, reject("it cannot be decoded: %w", err)
	}
	return &source{
		planes:      fromImage(decoded, decoded.Bounds()),
		orientation: orientationOf(picture, pngFormat),
		profile:     parseProfile(profileOfPNG(picture)),
	}, nil
}

// decodeGIF decodes the first frame, which may cover only a part of the canvas.
func decodeGIF(picture []byte, limits Limits) (*source, error) {
	canvas, err := gif.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return nil, reject("its header cannot be read: %w", err)
	}
	if err := limits.check(canvas.Width, canvas.Height); err != nil {
		return nil, err
	}
	// Decode rejects a frame outside the canvas before it allocates memory for it.
	frame, err := gif.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, reject("it cannot be decoded: %w", err)
	}
	bounds := image.Rect(0, 0, canvas.Width, canvas.Height)
	return &source{planes: fromImage(frame, bounds), orientation: upright}, nil
}
