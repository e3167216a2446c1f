package imaging

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/png"
)

// A source is a decoded picture, as it is stored: not yet upright and not yet in sRGB.
type source struct {
	*planes
	orientation orientation
	profile     *profile // nil for sRGB
}

// upright is the size of the picture when it is the right way up.
func (s *source) upright() image.Point {
	if s.orientation.transposes() {
		return image.Pt(s.size.Y, s.size.X)
	}
	return s.size
}

// decode reads a picture of any of the formats, whose thumbnails are to be at most so wide.
func decode(picture []byte, widest int, limits Limits) (*source, error) {
	if int64(len(picture)) > limits.Bytes {
		return nil, reject("it has %d bytes, more than %d", len(picture), limits.Bytes)
	}
	return recovered(func() (*source, error) {
		switch {
		case bytes.HasPrefix(picture, []byte("\xff\xd8\xff")):
			return decodeJPEG(picture, widest, limits)
		case bytes.HasPrefix(picture, []byte("\x89PNG\r\n\x1a\n")):
			return decodePNG(picture, limits)
		case bytes.HasPrefix(picture, []byte("GIF87a")), bytes.HasPrefix(picture, []byte("GIF89a")):
			return decodeGIF(picture, limits)
		case len(picture) >= riffHeader && string(picture[:4]) == "RIFF" && string(picture[8:riffHeader]) == "WEBP":
			return decodeWebP(picture, limits)
		}
		return nil, reject("it is no JPEG, PNG, GIF or WebP")
	})
}

// recovered turns a panic of decode into a rejection. Decoders are other people's code on
// strangers' bytes, and a picture that makes one of them panic would do so at every retry. Code
// after decoding is ours, and its panics must not be hidden here.
func recovered(decode func() (*source, error)) (decoded *source, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			decoded, err = nil, reject("its decoder panicked: %v", cause)
		}
	}()
	return decode()
}

// reject returns an error that the picture causes.
func reject(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRejected}, args...)...)
}

// check rejects sizes that a header announces.
func (l Limits) check(width, height int) error {
	switch {
	case width < 1 || height < 1:
		return reject("it is empty: %d × %d pixels", width, height)
	case width > maxSide || height > maxSide:
		return reject("it has %d × %d pixels, and no side may have more than %d", width, height, maxSide)
	case width > l.Pixels/height:
		return reject("it has %d × %d pixels, more than %d altogether", width, height, l.Pixels)
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

// decodeGIF reads the first frame, which may cover a part of the canvas only.
func decodeGIF(picture []byte, limits Limits) (*source, error) {
	canvas, err := gif.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return nil, reject("its header cannot be read: %w", err)
	}
	if err := limits.check(canvas.Width, canvas.Height); err != nil {
		return nil, err
	}
	// It refuses a frame that is not within the canvas before it makes room for it.
	frame, err := gif.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, reject("it cannot be decoded: %w", err)
	}
	return &source{planes: fromImage(frame, image.Rect(0, 0, canvas.Width, canvas.Height)), orientation: upright}, nil
}
