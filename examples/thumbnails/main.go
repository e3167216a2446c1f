// Command thumbnails is the CDK app of a thumbnail service.
package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/ashlar-cdk/ashlar/constructs/consumer"
	"github.com/ashlar-cdk/ashlar/constructs/gofunction"
	"github.com/ashlar-cdk/ashlar/constructs/media"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("Thumbnails"), nil)

	pictures := media.New(stack, "Pictures", media.Props{Widths: []int{320, 1280}})
	gallery := gofunction.New(stack, "Gallery", gofunction.Props{
		Package: "example.com/thumbnails/lambdas/gallery",
	})
	consumer.New(stack, "GalleryQueue", consumer.Props{
		Function: gallery.Function,
		Topic:    pictures.ThumbnailEvents.Topic,
	})

	awscdk.NewCfnOutput(stack, jsii.String("Bucket"), &awscdk.CfnOutputProps{
		Value: pictures.Originals.BucketName(),
	})
	awscdk.NewCfnOutput(stack, jsii.String("URL"), &awscdk.CfnOutputProps{
		Value: jsii.String(pictures.URL()),
	})
	app.Synth(nil)
}
