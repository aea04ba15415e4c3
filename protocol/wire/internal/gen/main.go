// Command gen compiles proto/openledger/v1/*.proto into pb/*.pb.go without protoc: protocompile
// parses, protoc-gen-go (of the module's own protobuf version) writes the code.
// Run it by `go generate ./protocol/wire`.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if err := run(context.Background(), "proto", "pb"); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, from, to string) error {
	const folder = "openledger/v1" // part of a file's name in the protobuf registry
	paths, err := filepath.Glob(filepath.Join(from, folder, "*.proto"))
	if err != nil {
		return err
	}
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = path.Join(folder, filepath.Base(p))
	}
	sort.Strings(names)
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{from}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(ctx, names...)
	if err != nil {
		return err
	}
	descriptors, err := ordered(files)
	if err != nil {
		return err
	}
	return generate(ctx, names, descriptors, to)
}

// ordered lists the files after the files that they import, as plugins expect.
func ordered(files linker.Files) ([]*descriptorpb.FileDescriptorProto, error) {
	var out []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	var visit func(f linker.File) error
	visit = func(f linker.File) error {
		if seen[f.Path()] {
			return nil
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			dep := files.FindFileByPath(f.Imports().Get(i).Path())
			if dep == nil {
				return fmt.Errorf("%s imports %s, which is not in the folder", f.Path(), f.Imports().Get(i).Path())
			}
			if err := visit(dep); err != nil {
				return err
			}
		}
		out = append(out, protoutil.ProtoFromFileDescriptor(f))
		return nil
	}
	for _, f := range files {
		if err := visit(f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func generate(ctx context.Context, names []string, files []*descriptorpb.FileDescriptorProto, to string) error {
	request, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: names,
		Parameter:      proto.String("paths=source_relative"),
		ProtoFile:      files,
	})
	if err != nil {
		return err
	}
	var stdout bytes.Buffer
	plugin := exec.CommandContext(ctx, "go", "run", "google.golang.org/protobuf/cmd/protoc-gen-go")
	plugin.Stdin, plugin.Stdout, plugin.Stderr = bytes.NewReader(request), &stdout, os.Stderr
	if err := plugin.Run(); err != nil {
		return fmt.Errorf("protoc-gen-go: %w", err)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(stdout.Bytes(), &response); err != nil {
		return err
	}
	if response.Error != nil {
		return fmt.Errorf("protoc-gen-go: %s", response.GetError())
	}
	for _, f := range response.File {
		if err := os.WriteFile(filepath.Join(to, filepath.Base(f.GetName())), []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
