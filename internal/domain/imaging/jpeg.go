package imaging

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"

	"github.com/gen2brain/jpegn"
)

// maxScans bounds what a progressive JPEG can cost: each scan is a walk over all its pixels, and
// takes a dozen bytes. Real ones have about ten.
const maxScans = 50

// decodeJPEG decodes no more detail than thumbnails of the width need: at a half, a quarter or an eighth of the size,
// which is a by-product of how a JPEG is stored.
//
// jpegn is the fast decoder and does it. It cannot do all that image/jpeg can (baseline in several scans, say), and
// it misreads four colours; those are left to image/jpeg.
func decodeJPEG(picture []byte, widest int, limits Limits) (*source, error) {
	header, err := readJPEG(picture)
	if err != nil {
		return nil, err
	}
	orientation := orientationOf(picture, jpegFormat)
	var decoded *planes
	if header.components != 4 {
		decoded, err = decodeScaled(picture, widest, orientation, limits)
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

func decodeScaled(picture []byte, widest int, orientation orientation, limits Limits) (*planes, error) {
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
	need := fit(shown, widest)
	shrink := 8
	for shrink > 1 && (shown.X/shrink < need.X || shown.Y/shrink < need.Y) {
		shrink /= 2
	}
	decoded, err := jpegn.Decode(bytes.NewReader(picture), &jpegn.Options{ScaleDenom: shrink})
	if err != nil {
		return nil, err
	}
	if _, ok := decoded.(*image.RGBA); ok && header.ColorModel == color.YCbCrModel && shrink > 1 {
		// Its pixels share colours in a way that image.YCbCr does not know, as those of 4:1:1 do that is turned by 90°. Of
		// what is shrunk, jpegn puts those colours into wrong places.
		if decoded, err = jpegn.Decode(bytes.NewReader(picture), nil); err != nil {
			return nil, err
		}
		shrink = 1
	}
	result := fromImage(decoded, decoded.Bounds())
	result.shrunk(image.Pt(header.Width, header.Height), shrink)
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

// A jpegHeader is what the decoders do not tell.
type jpegHeader struct {
	components int
	profile    []byte // ICC
}

// Markers of a JPEG: ITU-T T.81, table B.1.
const (
	markerSOF0 = 0xc0 // baseline
	markerSOF2 = 0xc2 // progressive; SOF1, extended, is as baseline where samples have 8 bits
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerDAC  = 0xcc
	markerSOF  = 0xcf // the last of the frames
	markerRST0 = 0xd0
	markerRST7 = 0xd7
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP2 = 0xe2
	markerTEM  = 0x01
)

// readJPEG walks the segments up to the end of the picture. Decoders take what is there and leave the rest grey, so
// that it is here that a picture without an end is refused.
func readJPEG(picture []byte) (jpegHeader, error) {
	var header jpegHeader
	var profile [256][]byte // its parts, by number
	scans := 0
	truncated := reject("it is cut off")
	for at := 2; ; {
		skipped := bytes.IndexByte(picture[at:], 0xff)
		if skipped < 0 {
			return header, truncated
		}
		for at += skipped; at < len(picture) && picture[at] == 0xff; at++ { // any number of them fill
		}
		if at == len(picture) {
			return header, truncated
		}
		marker := picture[at]
		at++
		switch {
		case marker == 0, marker == markerTEM, marker >= markerRST0 && marker <= markerRST7:
			continue // 0 is a byte of a scan
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
				return header, reject("it is a JPEG of a kind that is not shown anywhere (SOF%d)", marker-markerSOF0)
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
			if part, ok := bytes.CutPrefix(segment, []byte("ICC_PROFILE\x00")); ok && len(part) > 2 {
				profile[part[0]] = part[2:] // after its number comes how many there are
			}
		}
	}
}
