module rushes/tests/cluster/programs

go 1.25.0

require (
	github.com/coredns/coredns v1.14.2
	k8s.io/api v0.35.4
	k8s.io/apimachinery v0.35.4
	k8s.io/client-go v0.35.4
)
