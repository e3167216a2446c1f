package main

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
	"github.com/ashlar-cdk/ashlar/internal/testing/lambdatest"
)

// fixtures are the pictures that imaging is tested with.
const fixtures = "../../internal/domain/imaging/testdata"

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// realPictures are the fixtures, by name, and some that an encoder is at hand for.
func realPictures(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{"animated.gif": animation(t), "a+b/no name/.jpg": plain(t, red)}
	files, err := os.ReadDir(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if slices.Contains([]string{".jpg", ".png", ".webp", ".gif"}, filepath.Ext(file.Name())) {
			found[file.Name()] = fixture(t, file.Name())
		}
	}
	for _, want := range []string{"progressive.jpg", "cmyk.jpg", "16-bit.png", "1x1.jpg", "wrong-extension.png", "orientation-8.jpg", "lossy.webp"} {
		if found[want] == nil {
			t.Errorf("there is no %s to test with", want)
		}
	}
	return found
}

// animation is red in its first frame, and blue in its second.
func animation(t *testing.T) []byte {
	t.Helper()
	var frames gif.GIF
	for _, c := range []color.RGBA{red, blue} {
		frame := image.NewPaletted(image.Rect(0, 0, 400, 300), color.Palette{c})
		frames.Image, frames.Delay = append(frames.Image, frame), append(frames.Delay, 10)
	}
	var encoded bytes.Buffer
	if err := gif.EncodeAll(&encoded, &frames); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// testPictures gives the function real pictures, five at a time, and says what came out.
func testPictures(t *testing.T, p *platform) {
	all := realPictures(t)
	letters := len(p.queue.Messages())
	for names := range slices.Chunk(slices.Sorted(maps.Keys(all)), 5) {
		var bodies []string
		for _, name := range names {
			p.put(t, "temp/real/"+name, all[name])
			bodies = append(bodies, changed(t, "temp/real/"+name))
		}
		p.done(t, bodies...)
	}
	if given := p.queue.Messages()[letters:]; len(given) > 0 {
		t.Errorf("given up %+v, want none", given)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		said := ""
		for _, width := range pictures.Widths {
			got := p.thumbnail(t, "temp/real/"+name, width)
			if size := got.image.Bounds().Size(); size.X > width {
				t.Errorf("%s at %d has %v", name, width, size)
			}
			for _, metadata := range []string{"Exif", "secret", "ICC_PROFILE", "http://ns.adobe.com"} {
				if bytes.Contains(got.content, []byte(metadata)) {
					t.Errorf("%s at %d has %s in it", name, width, metadata)
				}
			}
			said += fmt.Sprintf("  %d: %v, %d bytes", width, got.image.Bounds().Size(), len(got.content))
		}
		t.Logf("%-22s %s", name, said)
	}
	for orientation := 1; orientation <= 8; orientation++ {
		name := fmt.Sprintf("temp/real/orientation-%d.jpg", orientation)
		upright := p.thumbnail(t, name, 320).image
		if !near(upright, 0.25, 0.25, color.RGBA{220, 30, 40, 255}) || !near(upright, 0.75, 0.25, color.RGBA{30, 170, 60, 255}) ||
			!near(upright, 0.25, 0.75, color.RGBA{30, 60, 200, 255}) || !near(upright, 0.75, 0.75, color.RGBA{200, 200, 200, 255}) {
			t.Errorf("%s is not upright", name)
		}
	}
	p.has(t, "temp/real/animated.gif", &red)
	if size := p.thumbnail(t, "temp/real/1x1.jpg", 1920).image.Bounds().Size(); size != image.Pt(1, 1) {
		t.Errorf("1x1.jpg has become %v", size)
	}
}

// hostile are pictures that nobody can use, by their reason.
func hostile(t *testing.T) map[string]struct {
	content []byte
	reason  string
} {
	t.Helper()
	baseline, photo := fixture(t, "baseline.jpg"), fixture(t, "16-bit.png")
	return map[string]struct {
		content []byte
		reason  string
	}{
		"truncated.jpg":        {baseline[:len(baseline)/2], "it is cut off"},
		"truncated.png":        {photo[:len(photo)/2], "it cannot be decoded"},
		"empty.jpg":            {nil, "it is no JPEG, PNG, GIF or WebP"},
		"text.jpg":             {[]byte("no picture"), "it is no JPEG, PNG, GIF or WebP"},
		"script.svg":           {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "it is no JPEG, PNG, GIF or WebP"},
		"100-megapixels.jpg":   {announcing(t, baseline, 10_000, 10_000), "10000 × 10000 pixels, more than 50000000"},
		"bomb.png":             {bomb(t, 20_000, 20_000, 8), "20000 × 20000 pixels, more than 50000000"},
		"too-large.jpg":        {append(slices.Clone(baseline), make([]byte, pictures.MaxBytes)...), "bytes, and may have 20971520"},
		"header-only.png":      {photo[:40], "it cannot be decoded"},
		"nearly-no-header.jpg": {[]byte("\xff\xd8\xff"), "it is cut off"},
	}
}

// testPoison gives the function batches of five, of which one is poison, in every place.
func testPoison(t *testing.T, p *platform) {
	all := hostile(t)
	for i, name := range slices.Sorted(maps.Keys(all)) {
		key, before, at := "temp/hostile/"+name, p.queue.Messages(), i%5
		p.put(t, key, plain(t, green))
		p.done(t, changed(t, key)) // so that there are thumbnails to be taken away
		p.put(t, key, all[name].content)
		var bodies []string
		for place := range 5 {
			beside := fmt.Sprintf("temp/beside/%s/%d", name, place)
			p.put(t, beside, plain(t, blue))
			bodies = append(bodies, changed(t, beside))
		}
		bodies[at] = changed(t, key)
		p.done(t, bodies...)
		if given := len(p.queue.Messages()) - len(before); given != 1 {
			t.Errorf("%s: given up %d times, want once", name, given)
		}
		p.deadLettered(t, key, all[name].reason)
		for place := range 5 {
			if place != at {
				p.has(t, fmt.Sprintf("temp/beside/%s/%d", name, place), &blue)
			}
		}
		letter := p.queue.Messages()[len(before)]
		t.Logf("%-22s dead letter: %s", name, letter.Attributes["Reason"])

		// Moved back when the picture has been mended, the letter is as good as the message that it was.
		p.put(t, key, plain(t, red))
		p.done(t, letter.Body)
		p.has(t, key, &red)
	}
	for name, body := range map[string]string{
		"no JSON": "{", "no event": "{}", "no object": `{"Records":[{"eventVersion":"2.1"}]}`, "no text": "\t",
	} {
		before := p.queue.Messages()
		p.put(t, "temp/beside body", plain(t, blue))
		p.done(t, body, changed(t, "temp/beside body"))
		p.has(t, "temp/beside body", &blue)
		given := p.queue.Messages()[len(before):]
		if len(given) != 1 || !strings.HasPrefix(given[0].Attributes["Reason"], "not an event") || given[0].Attributes["Key"] != "" {
			t.Fatalf("%s: given up %+v", name, given)
		}
		if json.Valid([]byte(given[0].Body)) != json.Valid([]byte(body)) {
			t.Errorf("%s: given up as %q", name, given[0].Body)
		}
	}
}

// announcing says another size in the header of a baseline JPEG than it has.
func announcing(t *testing.T, picture []byte, width, height uint16) []byte {
	t.Helper()
	picture = slices.Clone(picture)
	at := bytes.Index(picture, []byte{0xff, 0xc0})
	if at < 0 {
		t.Fatal("there is no frame in the JPEG")
	}
	binary.BigEndian.PutUint16(picture[at+5:], height)
	binary.BigEndian.PutUint16(picture[at+7:], width)
	return picture
}

// bomb is a small file of a large PNG: RGBA, all zeros, so many bits a sample.
func bomb(t *testing.T, width, height int, bits byte) []byte {
	t.Helper()
	var pixels bytes.Buffer
	w, err := zlib.NewWriterLevel(&pixels, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	row := make([]byte, 1+width*4*int(bits)/8)
	for range height {
		if _, err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		file = binary.BigEndian.AppendUint32(file, uint32(len(data)))
		start := len(file)
		file = append(append(file, name...), data...)
		file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(file[start:]))
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(width)), uint32(height))
	chunk("IHDR", append(header, bits, 6, 0, 0, 0))
	chunk("IDAT", pixels.Bytes())
	chunk("IEND", nil)
	return file
}

// fourColours is a small file of a large progressive JPEG in CMYK, one scan of zeros: white.
func fourColours(t *testing.T, width, height int) []byte {
	t.Helper()
	file := []byte("\xff\xd8")
	segment := func(marker byte, parts ...[]byte) {
		data := slices.Concat(parts...)
		file = append(binary.BigEndian.AppendUint16(append(file, 0xff, marker), uint16(2+len(data))), data...)
	}
	segment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x00"))                   // CMYK as it is
	segment(0xdb, make([]byte, 1), bytes.Repeat([]byte{1}, 64))                  // quantisation
	segment(0xc4, make([]byte, 1), []byte{1}, make([]byte, 15), make([]byte, 1)) // one code of one bit: no difference
	size := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{8}, uint16(height)), uint16(width))
	segment(0xc2, size, []byte{4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0})
	segment(0xda, []byte{4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 0, 0})
	blocks := ((width + 7) / 8) * ((height + 7) / 8)
	file = append(file, make([]byte, blocks*4/8)...) // a bit for each colour of each
	return append(file, 0xff, 0xd9)
}

// photo is a baseline JPEG of 12 megapixels with as much in it as a telephone's: noise does not compress.
func photo(t *testing.T) []byte {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	img := image.NewYCbCr(image.Rect(0, 0, 4032, 3024), image.YCbCrSubsampleRatio420)
	for _, plane := range [][]byte{img.Y, img.Cb, img.Cr} {
		for i := range plane {
			plane[i] = byte(100 + random.IntN(24))
		}
	}
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return encoded.Bytes()
}

// testMemory measures the process that makes thumbnails: the most that it has had when it was done.
// 256 MiB is what a photo may need. The largest picture may need more, but five of them not much
// more than one.
func testMemory(t *testing.T, p *platform) {
	progressive, err := os.ReadFile("testdata/12-megapixels-progressive.jpg") // sharp's, of a little noise at 126 times its size
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		content []byte
		several int
		limit   int64 // in MiB
	}{
		{"photos of 12 megapixels", photo(t), 5, 256},
		{"progressive ones", progressive, 5, 256},
		{"PNGs as large as they may be", bomb(t, 7_000, 7_000, 16), 2, 700},
		// Its coefficients alone take 800 MB, and what is not collected on the way as much again.
		{"progressive JPEGs of four colours as large as they may be", fourColours(t, 760, 65_535), 1, 1450},
	} {
		environment := maps.Clone(p.environment)
		environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = "1769" // as it is deployed
		fn := lambdatest.New(t, p.bootstrap, environment)
		var bodies []string
		for i := range test.several {
			key := fmt.Sprintf("temp/%s %d", test.name, i)
			p.put(t, key, test.content)
			bodies = append(bodies, changed(t, key))
		}
		begun := time.Now()
		if failed := p.send(t, fn, timeout, bodies...); len(failed) > 0 {
			t.Fatalf("%s: messages %v come again\n%s", test.name, failed, fn.Logs())
		}
		took := time.Since(begun)
		for i := range test.several {
			if keys := p.keys(t, fmt.Sprintf("temp/%s %d", test.name, i)); len(keys) != len(pictures.Widths) {
				t.Errorf("%s: %q", test.name, keys)
			}
		}
		peak := fn.PeakMemory(t) >> 20
		t.Logf("%d %s of %d KiB: %d MiB at most, %s", test.several, test.name, len(test.content)>>10, peak, took.Round(time.Millisecond))
		if peak >= test.limit {
			t.Errorf("%s: %d MiB, want less than %d", test.name, peak, test.limit)
		}
	}
}
