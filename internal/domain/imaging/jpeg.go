package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"

	"github.com/gen2brain/jpegn"
)

// maxScans limits the cost of a progressive JPEG: each scan takes a dozen bytes in the file and a
// pass over all pixels. Real files have about ten scans.
const maxScans = 50

// decodeJPEG decodes only as much detail as thumbnails of maxWidth need: at a half, a quarter or an
// eighth of the size, which the JPEG format makes cheap.
//
// The decoder is jpegn, which is fast. It does not support everything that image/jpeg supports (a
// baseline JPEG in several scans, for example), and decodes pictures of four colours incorrectly.
// Those are decoded with image/jpeg.
func decodeJPEG(picture []byte, maxWidth int, limits Limits) (*source, error) {
	header, err := readJPEG(picture)
	if err != nil {
		return nil, err
	}
	orientation := orientationOf(picture, jpegFormat)
	var decoded *planes
	if header.components != 4 {
		decoded, err = decodeScaled(picture, maxWidth, orientation, limits)
	}
	if decoded == nil {
		decoded, err = decodeFull(picture, limits)
	}
	if err != nil {
		return nil, err
	}
	result := &source{planes: decoded, orientation: orientation}
	if header.components == 3 {
		result.profile = parseProfile(header.profile)
	}
	return result, nil
}

func decodeScaled(
	picture []byte, maxWidth int, orientation orientation, limits Limits,
) (*planes, error) {
	header, err := jpegn.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	if err := limits.check(header.Width, header.Height); err != nil {
		return nil, err
	}
	shown := image.Pt(header.Width, header.Height)
	if orientation.transposes() {
		shown = image.Pt(shown.Y, shown.X)
	}
	need := fit(shown, maxWidth)
	shrink := 8
	for shrink > 1 && (shown.X/shrink < need.X || shown.Y/shrink < need.Y) {
		shrink /= 2
	}
	decoded, err := jpegn.Decode(bytes.NewReader(picture), &jpegn.Options{ScaleDenom: shrink})
	if err != nil {
		return nil, err
	}
	if _, ok := decoded.(*image.RGBA); ok && header.ColorModel == color.YCbCrModel && shrink > 1 {
		// image.YCbCr does not support the subsampling of this picture, such as 4:1:1 turned by
		// 90°. When jpegn scales such a picture, it puts the colours into wrong places.
		if decoded, err = jpegn.Decode(bytes.NewReader(picture), nil); err != nil {
			return nil, err
		}
		shrink = 1
	}
	result := fromImage(decoded, decoded.Bounds())
	result.setShrunk(image.Pt(header.Width, header.Height), shrink)
	return result, nil
}

func decodeFull(picture []byte, limits Limits) (*planes, error) {
	header, err := jpeg.DecodeConfig(bytes.NewReader(picture))
	if err != nil {
		return nil, reject("its header cannot be read: %w", err)
	}
	if err := limits.check(header.Width, header.Height); err != nil {
		return nil, err
	}
	decoded, err := jpeg.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, reject("it cannot be decoded: %w", err)
	}
	return fromImage(decoded, decoded.Bounds()), nil
}

// A jpegHeader holds what the decoders do not return.
type jpegHeader struct {
	components int
	profile    []byte // ICC
}

// Markers of a JPEG: ITU-T T.81, table B.1.
const (
	markerSOF0 = 0xc0 // baseline
	markerSOF2 = 0xc2 // progressive; SOF1, extended, equals baseline if samples have 8 bits
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerDAC  = 0xcc
	markerSOF  = 0xcf // the last frame marker
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP2 = 0xe2
	markerTEM  = 0x01
)

// readJPEG reads all segments. It rejects a picture without an end marker: decoders decode what is
// there and leave the rest grey.
func readJPEG(picture []byte) (jpegHeader, error) {
	var header jpegHeader
	var profile [256][]byte // its parts, by number
	scans := 0
	truncated := reject("it is truncated")
	for at := 2; ; {
		skipped := bytes.IndexByte(picture[at:], 0xff)
		if skipped < 0 {
			return header, truncated
		}
		for at += skipped; at < len(picture) && picture[at] == 0xff; at++ { // fill bytes
		}
		if at == len(picture) {
			return header, truncated
		}
		marker := picture[at]
		at++
		switch {
		case marker == 0, marker == markerTEM, marker >= markerRST0 && marker <= markerRST7:
			continue // 0 is a byte of a scan's data
		case marker == markerEOI:
			if header.components == 0 || scans == 0 {
				return header, truncated
			}
			header.profile = bytes.Join(profile[:], nil)
			return header, nil
		}
		if at+2 > len(picture) {
			return header, truncated
		}
		end := at + int(binary.BigEndian.Uint16(picture[at:]))
		if end < at+2 || end > len(picture) {
			return header, truncated
		}
		segment := picture[at+2 : end]
		at = end
		switch {
		case marker == markerDHT, marker == markerDAC, marker == markerJPG:
		case marker >= markerSOF0 && marker <= markerSOF:
			if marker > markerSOF2 {
				return header, reject("its JPEG process SOF%d is not supported", marker-markerSOF0)
			}
			if len(segment) < 6 {
				return header, truncated
			}
			header.components = int(segment[5])
		case marker == markerSOS:
			if scans++; scans > maxScans {
				return header, reject("it has more than %d scans", maxScans)
			}
		case marker == markerAPP2:
			part, ok := bytes.CutPrefix(segment, []byte("ICC_PROFILE\x00"))
			if ok && len(part) > 2 {
				profile[part[0]] = part[2:] // part[0] is its number, part[1] the number of parts
			}
		}
	}
}
