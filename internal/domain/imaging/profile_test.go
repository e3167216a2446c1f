package imaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"slices"
	"testing"
)

func displayP3(tb testing.TB) []byte {
	tb.Helper()
	picture, err := os.ReadFile("testdata/display-p3.png")
	if err != nil {
		tb.Fatal(err)
	}
	return profileOfPNG(picture)
}

// The expected values are the results of littleCMS.
func TestProfile_convert_Display_P3(t *testing.T) {
	t.Parallel()
	p := parseProfile(displayP3(t))
	if p == nil {
		t.Fatal("the profile was ignored")
	}
	for from, want := range map[[3]int32][3]int32{
		{255, 0, 0}:     {255, 0, 0}, // outside sRGB's gamut
		{234, 51, 35}:   {255, 0, 3},
		{0, 255, 0}:     {0, 255, 0},
		{128, 128, 128}: {128, 128, 128},
		{60, 120, 90}:   {30, 122, 88},
		{255, 255, 255}: {255, 255, 255},
		{0, 0, 0}:       {0, 0, 0},
	} {
		r, g, b := p.convert(from[0], from[1], from[2])
		for i, v := range []int32{r, g, b} {
			if abs(v-want[i]) > 3 {
				t.Errorf("%v: %d, %d, %d, want %v", from, r, g, b, want)
				break
			}
		}
	}
}

func TestParseProfile_skips_sRGB(t *testing.T) {
	t.Parallel()
	picture, err := os.ReadFile("testdata/srgb.jpg")
	if err != nil {
		t.Fatal(err)
	}
	header, err := readJPEG(picture)
	if err != nil {
		t.Fatal(err)
	}
	if len(header.profile) == 0 || parseProfile(header.profile) != nil {
		t.Errorf("the profile of %d bytes was not skipped", len(header.profile))
	}
}

func TestParseProfile_ignores_unusable_profiles(t *testing.T) {
	t.Parallel()
	// tagged returns a profile with another entry for a tag, at the end of the profile or beyond
	// it.
	tagged := func(name string, data []byte, beyond uint32) []byte {
		icc := displayP3(t)
		entry := 132 + bytes.Index(icc[132:], []byte(name))
		binary.BigEndian.PutUint32(icc[entry+4:], uint32(len(icc)))
		binary.BigEndian.PutUint32(icc[entry+8:], uint32(len(data))+beyond)
		return slices.Clip(append(icc, data...))
	}
	fixeds := func(tag string, values ...float64) []byte {
		data := []byte(tag)
		for _, v := range values {
			data = binary.BigEndian.AppendUint32(data, uint32(int32(v*65536)))
		}
		return data
	}
	const xyz, power = "XYZ \x00\x00\x00\x00", "para\x00\x00\x00\x00\x00\x04\x00\x00"
	if parseProfile(tagged("rXYZ", fixeds(xyz, 1, 1, 1), 0)) == nil {
		t.Error("a profile with another red was ignored")
	}
	for name, icc := range map[string][]byte{
		"tag beyond the end":          tagged("rXYZ", fixeds(xyz, 1, 1, 1), 1),
		"tag far beyond the end":      tagged("rXYZ", fixeds(xyz, 1, 1, 1), 1<<32-100),
		"red 20 times white":          tagged("rXYZ", fixeds(xyz, 20, 1, 1), 0),
		"root of a number below zero": tagged("rTRC", fixeds(power, 0.5, -1, -1, 0, 0, 0, 0), 0),
	} {
		if parseProfile(icc) != nil {
			t.Errorf("%s: was not ignored", name)
		}
	}
}

// A JPEG's profile has parts of up to 64 KiB, and a WebP's has one part of any length.
func TestParseProfile_ignores_large_profiles(t *testing.T) {
	t.Parallel()
	longest := make([]byte, maxProfileBytes)
	copy(longest, displayP3(t))
	if parseProfile(longest) == nil {
		t.Errorf("a profile of %d bytes was ignored", len(longest))
	}
	if parseProfile(append(longest, 0)) != nil {
		t.Errorf("a profile of %d bytes was not ignored", len(longest)+1)
	}
}

func TestParseCurve(t *testing.T) {
	t.Parallel()
	curv := func(values ...uint16) []byte {
		tag := binary.BigEndian.AppendUint32([]byte("curv\x00\x00\x00\x00"), uint32(len(values)))
		for _, v := range values {
			tag = binary.BigEndian.AppendUint16(tag, v)
		}
		return tag
	}
	para := func(kind uint16, values ...float64) []byte {
		tag := binary.BigEndian.AppendUint16([]byte("para\x00\x00\x00\x00"), kind)
		tag = append(tag, 0, 0)
		for _, v := range values {
			tag = binary.BigEndian.AppendUint32(tag, uint32(int32(math.Round(v*65536))))
		}
		return tag
	}
	sRGB := para(3, 2.4, 1/1.055, 0.055/1.055, 1/12.92, 0.04045)
	for name, c := range map[string]struct {
		tag     []byte
		x, want float64
	}{
		"identity":                   {curv(), 0.3, 0.3},
		"gamma":                      {curv(0x0200), 0.3, 0.09},
		"between table entries":      {curv(0, 0x1000, 0xffff), 0.25, 0x0800 / 65535.0},
		"end of a table":             {curv(0, 0x1000, 0xffff), 1, 1},
		"power":                      {para(0, 2), 0.3, 0.09},
		"shifted power":              {para(1, 2, 0.5, 0.25), 0.5, 0.25},
		"below a shifted power":      {para(1, 2, 0.5, -0.25), 0.2, 0},
		"power with offset":          {para(2, 2, 1, 0, 0.5), 0.5, 0.75},
		"below a power with offset":  {para(2, 2, 1, -0.5, 0.5), 0.2, 0.5},
		"power with a line":          {para(3, 2, 1, 0, 0.5, 0.1), 0.5, 0.25},
		"line below a power":         {para(3, 2, 1, 0, 0.5, 0.1), 0.05, 0.025},
		"power with line and offset": {para(4, 2, 1, 0, 0.5, 0.1, 0.2, 0.3), 0.5, 0.45},
		"line with offset":           {para(4, 2, 1, 0, 0.5, 0.1, 0.2, 0.3), 0.05, 0.325},
		"sRGB":                       {sRGB, 0.5, 0.21404},
		"truncated table":            {curv(0, 1, 2, 3)[:14], 0, -1},
		"unknown kind":               {para(5, 1, 1, 1, 1, 1, 1, 1), 0, -1},
		"too few parameters":         {para(4, 2, 1), 0, -1},
		"other type":                 {[]byte("mAB \x00\x00\x00\x00\x00\x00\x00\x00"), 0, -1},
		"empty":                      {nil, 0, -1},
	} {
		curve := parseCurve(c.tag)
		switch {
		case c.want < 0 && curve != nil:
			t.Errorf("%s: a curve, want nil", name)
		case c.want >= 0 && curve == nil:
			t.Errorf("%s: nil, want a curve", name)
		case c.want >= 0 && math.Abs(curve(c.x)-c.want) > 1e-3:
			t.Errorf("%s at %v: %v, want %v", name, c.x, curve(c.x), c.want)
		}
	}
}

// FuzzProfile checks that any profile is either ignored or converts to valid colours.
func FuzzProfile(f *testing.F) {
	f.Add(displayP3(f))
	f.Fuzz(func(t *testing.T, icc []byte) {
		p := parseProfile(icc)
		if p == nil {
			return
		}
		for _, v := range []int32{0, 1, 100, 254, 255} {
			r, g, b := p.convert(v, 255-v, 17)
			if min(r, g, b) < 0 || max(r, g, b) > 255 {
				t.Errorf("%d: %d, %d, %d", v, r, g, b)
			}
		}
	})
}

func TestRecoverPanic_turns_a_panic_into_a_rejection(t *testing.T) {
	t.Parallel()
	decoded, err := recoverPanic(func() (*source, error) {
		var none []int
		return nil, errors.New("unreached" + string(rune(none[3])))
	})
	if decoded != nil || !errors.Is(err, ErrRejected) {
		t.Errorf("%v, %v, want a rejection", decoded, err)
	}
}
