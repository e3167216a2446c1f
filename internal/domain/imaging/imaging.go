// Package imaging generates JPEG thumbnails of uploaded pictures: JPEG, PNG, GIF and WebP, detected
// by their first bytes and never by a file name. Uploads are untrusted, so limits are checked
// against the header before a picture is decoded.
//
// A thumbnail contains only pixels, no metadata. It is upright, in sRGB, and white where the
// picture was transparent.
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

// ErrRejected is wrapped by errors that the picture causes. They are permanent: a retry does not
// help. Their text names the problem, for the operator.
var ErrRejected = errors.New("picture rejected")

// Limits are checked before anything is decoded.
type Limits struct {
	Bytes  int64
	Pixels int
}

// A Thumbnail is a JPEG.
type Thumbnail struct {
	Width int // the requested width
	JPEG  []byte
	Size  image.Point // the actual size; at most Width wide, because pictures are not enlarged
}

const (
	// quality is a little above sharp's default of 80, because image/jpeg always writes a quarter
	// of the colour samples.
	quality = 85

	// maxAspectRatio limits a thumbnail's height to a multiple of the requested width. A picture of
	// 760 × 65,535 pixels is narrower than most widths; without this limit, most of its thumbnails
	// would have its full size.
	maxAspectRatio = 4

	// maxSide is the JPEG format's limit.
	maxSide = 1<<16 - 1
)

// Thumbnails decodes the picture once and returns a thumbnail for each width, in the same order.
// Thumbnails keep the picture's proportions. If a picture is more than four times as tall as wide,
// they are at most four times as tall as the requested width, and narrower than it. Errors that the
// picture causes wrap ErrRejected; all others are internal.
//
// Each thumbnail is scaled from the decoded picture, or from a thumbnail that is at least twice as
// wide. The result looks the same and takes less time.
func Thumbnails(picture []byte, widths []int, limits Limits) ([]Thumbnail, error) {
	for _, width := range widths {
		if width < 1 {
			return nil, fmt.Errorf("imaging: a thumbnail cannot be %d pixels wide", width)
		}
	}
	if len(widths) == 0 {
		return nil, nil
	}
	decoded, err := decode(picture, slices.Max(widths), limits)
	if err != nil {
		return nil, err
	}

	scaled := map[int]*planes{} // by width
	thumbnails := make([]Thumbnail, len(widths))
	for _, i := range widestFirst(widths) {
		size := fit(decoded.upright(), widths[i])
		thumbnails[i] = Thumbnail{Width: widths[i], Size: size}
		sameSize := func(t Thumbnail) bool { return t.Size == size && t.JPEG != nil }
		if j := slices.IndexFunc(thumbnails, sameSize); j >= 0 {
			thumbnails[i].JPEG = thumbnails[j].JPEG // the picture is smaller than both widths
			continue
		}
		var small *planes
		if larger := smallestAtLeast(scaled, 2*size.X); larger != nil {
			small = larger.resize(size, upright)
		} else {
			small = decoded.resize(size, decoded.orientation)
			decoded.profile.toSRGB(small)
		}
		scaled[size.X] = small
		var encoded bytes.Buffer
		options := &jpeg.Options{Quality: quality}
		if err := jpeg.Encode(&encoded, small.image(), options); err != nil {
			return nil, fmt.Errorf("imaging: %w", err)
		}
		thumbnails[i].JPEG = encoded.Bytes()
	}
	return thumbnails, nil
}

// fit returns the size of a picture's thumbnail: at most width wide, and at most maxAspectRatio
// times that tall.
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

// widestFirst returns the indexes of widths in descending order of width.
func widestFirst(widths []int) []int {
	order := make([]int, len(widths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return widths[b] - widths[a] })
	return order
}

// smallestAtLeast returns the smallest picture that is at least width wide, or nil.
func smallestAtLeast(scaled map[int]*planes, width int) *planes {
	var found *planes
	for _, candidate := range scaled {
		if candidate.size.X >= width && (found == nil || candidate.size.X < found.size.X) {
			found = candidate
		}
	}
	return found
}
