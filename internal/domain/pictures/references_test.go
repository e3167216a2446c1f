package pictures_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/ashlar-cdk/ashlar/internal/domain/pictures"
)

const media = pictures.Delivery("https://media.example.com")

var (
	adas   = pictures.Owner("ada")
	upload = pictures.Reference{
		Owner: adas, ID: uuid.MustParse("6f1c9b1e-0b7a-4c1e-9d52-3a4f5b6c7d8e"),
	}
	promoted = pictures.Reference{ID: uuid.MustParse("1d2e3f40-5a6b-4c7d-8e9f-a0b1c2d3e4f5")}
)

func TestDelivery_Parse(t *testing.T) {
	for _, picture := range []pictures.Reference{upload, promoted} {
		sources := []string{picture.Key()}
		for _, width := range pictures.Widths {
			sources = append(sources, media.URL(picture.Key(), width))
		}
		for _, source := range sources {
			if found, ok := media.Parse(source); !ok || found != picture {
				t.Errorf("%s is %v, %t", source, found, ok)
			}
		}
	}
	for _, source := range []string{
		"", "x", "/" + promoted.Key(), promoted.Key() + "/320.jpg",
		"https://other.example.com/" + promoted.Key() + "/320.jpg",
		media.URL(promoted.Key(), 320) + "x", string(media) + "/" + promoted.Key(),
	} {
		if found, ok := media.Parse(source); ok {
			t.Errorf("%s is %v", source, found)
		}
	}
	if _, ok := pictures.Delivery("").Parse("/" + promoted.Key() + "/320.jpg"); ok {
		t.Error("a delivery without a base URL parses a URL")
	}
}

func TestReferences_and_ResolveURLs(t *testing.T) {
	html := `<p>src="` + promoted.Key() + `"</p><img src="` + promoted.Key() +
		`"/><img alt="a" src="` + upload.Key() + `"/><img src="` + promoted.Key() + `"/>`
	html = strings.Replace(html, `src="`+promoted.Key()+`"`, `src=&#34;`+promoted.Key()+`&#34;`, 1)
	if diff := cmp.Diff([]pictures.Reference{promoted, upload, promoted},
		pictures.References(html)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := `<p>src=&#34;` + promoted.Key() + `&#34;</p><img src="https://media.example.com/` +
		promoted.Key() + `/1280.jpg"/><img alt="a" src="` + upload.Key() +
		`"/><img src="https://media.example.com/` + promoted.Key() + `/1280.jpg"/>`
	if diff := cmp.Diff(want, media.ResolveURLs(html)); diff != "" {
		t.Errorf("resolved (-want +got):\n%s", diff)
	}
}

func TestOwner_does_not_reveal_the_subject(t *testing.T) {
	if len(adas) != 32 || strings.Contains(adas, "ada") || adas == pictures.Owner("eve") ||
		adas != pictures.Owner("ada") {
		t.Errorf("Ada's folder is %s, Eve's is %s", adas, pictures.Owner("eve"))
	}
}

// FuzzParse checks that every src that Parse accepts contains the key of the picture that Parse
// returns.
func FuzzParse(f *testing.F) {
	for _, picture := range []pictures.Reference{upload, promoted} {
		f.Add(picture.Key())
		f.Add(media.URL(picture.Key(), 1280))
		f.Add(media.URL("../"+picture.Key(), 1280))
	}
	f.Fuzz(func(t *testing.T, source string) {
		picture, ok := media.Parse(source)
		if !ok {
			return
		}
		key := picture.Key()
		if source != key && !strings.HasPrefix(source, string(media)+"/"+key+"/") {
			t.Errorf("%q is parsed as %s", source, key)
		}
		if again, ok := media.Parse(key); !ok || again != picture {
			t.Errorf("%s is %v, %t", key, again, ok)
		}
		if found := pictures.References(`<img src="` + key + `"/>`); len(found) != 1 ||
			found[0] != picture {
			t.Errorf("%s is found as %v", key, found)
		}
	})
}
