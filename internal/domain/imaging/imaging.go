// Package imaging makes JPEG thumbnails of the pictures that people upload: of JPEG, PNG, GIF and WebP, known by their
// first bytes and never by a name. Pictures are hostile until they are decoded, so limits are checked by their headers.
//
// What comes out holds pixels and nothing else: upright, in sRGB, on white where the picture was transparent.
package imaging

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"slices"
)

// ErrRejected is wrapped by the errors that the picture causes, which no retry fixes. Their text
// names the problem, for the operator.
var ErrRejected = errors.New("picture rejected")

// Limits are checked before anything is decoded.
type Limits struct {
	Bytes  int64
	Pixels int
}

// A Thumbnail is a JPEG.
type Thumbnail struct {
	Width int // what was asked for
	JPEG  []byte
	Size  image.Point // what it has: at most what was asked for, as nothing is enlarged
}

const (
	// quality is a little above sharp's 80: image/jpeg always writes a quarter of the colour samples.
	quality = 85

	// maxAspectRatio limits a thumbnail's height, in requested widths. A picture of 760 × 65,535
	// pixels, which is narrower than most widths, would otherwise be delivered whole under most of
	// them.
	maxAspectRatio = 4

	// maxSide is a JPEG's limit.
	maxSide = 1<<16 - 1
)

// Thumbnails decodes the picture once and returns a thumbnail of each width, in that order. Heights
// follow from the picture's proportions, unless it is more than four times as tall as it is wide:
// then its thumbnails are four times as tall as the width that was asked for, and narrower. Errors
// that are the picture's own fault wrap ErrRejected; anything else is ours.
//
// Each thumbnail is made from the decoded picture, or from one that is already made and at least twice as wide, which
// looks the same and is less work.
func Thumbnails(picture []byte, widths []int, limits Limits) ([]Thumbnail, error) {
	for _, width := range widths {
		if width < 1 {
			return nil, fmt.Errorf("imaging: a thumbnail cannot be %d pixels wide", width)
		}
	}
	if len(widths) == 0 {
		return nil, nil
	}
	widest := slices.Max(widths)
	decoded, err := decode(picture, widest, limits)
	if err != nil {
		return nil, err
	}

	made := map[int]*planes{} // by width
	thumbnails := make([]Thumbnail, len(widths))
	for _, i := range widestFirst(widths) {
		size := fit(decoded.upright(), widths[i])
		thumbnails[i] = Thumbnail{Width: widths[i], Size: size}
		if j := slices.IndexFunc(thumbnails, func(t Thumbnail) bool { return t.Size == size && t.JPEG != nil }); j >= 0 {
			thumbnails[i].JPEG = thumbnails[j].JPEG // the picture is smaller than both
			continue
		}
		var small *planes
		if larger := smallestAtLeast(made, 2*size.X); larger != nil {
			small = larger.resize(size, upright)
		} else {
			small = decoded.resize(size, decoded.orientation)
			decoded.profile.toSRGB(small)
		}
		made[size.X] = small
		var encoded bytes.Buffer
		if err := jpeg.Encode(&encoded, small.image(), &jpeg.Options{Quality: quality}); err != nil {
			return nil, fmt.Errorf("imaging: %w", err)
		}
		thumbnails[i].JPEG = encoded.Bytes()
	}
	return thumbnails, nil
}

// fit is the size that a picture has when it is at most so wide, and at most maxAspectRatio times
// as tall as that.
func fit(size image.Point, width int) image.Point {
	height := maxAspectRatio * width
	switch {
	case size.X <= width && size.Y <= height:
		return size
	case size.Y <= maxAspectRatio*size.X:
		return image.Pt(width, max(1, scale(size.Y, width, size.X)))
	default:
		return image.Pt(max(1, scale(size.X, height, size.Y)), height)
	}
}

// scale returns n·numerator/denominator, rounded.
func scale(n, numerator, denominator int) int {
	return int(math.Round(float64(n) * float64(numerator) / float64(denominator)))
}

// widestFirst returns the indexes of widths, those of the widest first.
func widestFirst(widths []int) []int {
	order := make([]int, len(widths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return widths[b] - widths[a] })
	return order
}

// smallestAtLeast returns the smallest picture that is at least as wide as width, or nil.
func smallestAtLeast(made map[int]*planes, width int) *planes {
	var found *planes
	for _, candidate := range made {
		if candidate.size.X >= width && (found == nil || candidate.size.X < found.size.X) {
			found = candidate
		}
	}
	return found
}
