{{/*
The pod: that of ../../kubernetes/base, with the shipper and the identity of the overlay, as the values
have it. Nothing that kustomize renders from is repeated here.
*/}}
{{- define "sentinelone-source.pod" -}}
{{- $v := .Values -}}
{{- $name := include "sentinelone-source.fullname" . -}}
{{- $secret := include "sentinelone-source.secret" . -}}
{{- $kind := $v.shipper.kind -}}
{{- $spec := (.Files.Get "files/base/statefulset.yaml" | fromYaml).spec.template.spec -}}
{{- $overlay := (.Files.Get (printf "files/overlays/%s-%s/identity.yaml" $kind $v.identity) | fromYaml).spec.template -}}
{{- $patch := first (.Files.Get (printf "files/%s/shipper.yaml" $kind) | fromYaml).spec.template.spec.initContainers -}}
{{- $added := dict -}}
{{- with $overlay.spec -}}{{- $added = first .initContainers -}}{{- end -}}

{{- $environment := $v.extraEnv -}}
{{- $shipperEnvironment := concat (default list $patch.env) (default list $added.env) $v.shipper.extraEnv -}}
{{- $mounts := $v.extraVolumeMounts -}}
{{- $shipperMounts := concat $patch.volumeMounts (default list $added.volumeMounts) $v.shipper.extraVolumeMounts -}}
{{- $volumes := concat $spec.volumes (default list (default dict $overlay.spec).volumes) $v.extraVolumes -}}
{{- if $v.proxy -}}
{{- $shipperEnvironment = append $shipperEnvironment (dict "name" "HTTPS_PROXY" "value" $v.proxy) -}}
{{- $shipperEnvironment = append $shipperEnvironment (dict "name" "NO_PROXY" "value" "127.0.0.1,localhost") -}}
{{- $environment = append $environment (dict "name" "HTTPS_PROXY" "value" $v.proxy) -}}
{{- $environment = append $environment (dict "name" "NO_PROXY" "value" "127.0.0.1,localhost") -}}
{{- end -}}
{{- if $v.ca.configMap -}}
{{- $file := "/etc/sentinelone-ca/ca.pem" -}}
{{- $mount := dict "name" "ca" "mountPath" "/etc/sentinelone-ca" "readOnly" true -}}
{{- $item := dict "key" $v.ca.key "path" "ca.pem" -}}
{{- $volumes = append $volumes (dict "name" "ca" "configMap" (dict "name" $v.ca.configMap "items" (list $item))) -}}
{{- $mounts = append $mounts $mount -}}
{{- $shipperMounts = append $shipperMounts $mount -}}
{{- $environment = append $environment (dict "name" "SSL_CERT_FILE" "value" $file) -}}
{{- $shipperEnvironment = append $shipperEnvironment (dict "name" "SSL_CERT_FILE" "value" $file) -}}
{{- if eq $kind "fluent-bit" -}}
{{- $shipperEnvironment = append $shipperEnvironment (dict "name" "DCE_CA_FILE" "value" $file) -}}
{{- end -}}
{{- end -}}

{{- $source := first $spec.containers -}}
{{- $_ := set $source "image" (include "sentinelone-source.image" .) -}}
{{- $_ := set $source "imagePullPolicy" $v.image.pullPolicy -}}
{{- $_ := set $source "resources" (default $source.resources $v.source.resources) -}}
{{- $_ := set $source "volumeMounts" (concat $source.volumeMounts $mounts) -}}
{{- with $environment -}}{{- $_ := set $source "env" . -}}{{- end -}}

{{- $shipper := merge $patch (first $spec.initContainers) -}}
{{- $_ := set $shipper "image" (default $patch.image $v.shipper.image) -}}
{{- $_ := set $shipper "resources" (default $shipper.resources $v.shipper.resources) -}}
{{- $_ := set $shipper "volumeMounts" $shipperMounts -}}
{{- with $shipperEnvironment -}}{{- $_ := set $shipper "env" . -}}{{- end -}}
{{- range $shipper.envFrom -}}{{- $_ := set .configMapRef "name" (printf "%s-azure" $name) -}}{{- end -}}
{{- $before := list $shipper -}}
{{- if include "sentinelone-source.has-broker" . -}}
{{- $broker := (first (.Files.Get "files/overlays/fluent-bit-workload-identity/broker.yaml" | fromYamlArray)).value -}}
{{- $_ := set $broker "image" $source.image -}}
{{- $_ := set $broker "imagePullPolicy" $v.image.pullPolicy -}}
{{- $_ := set $broker "volumeMounts" (concat $broker.volumeMounts $mounts) -}}
{{- with $environment -}}{{- $_ := set $broker "env" . -}}{{- end -}}
{{- $before = list $broker $shipper -}}
{{- end -}}

{{- $keys := list -}}
{{- range $v.consoles -}}{{- $keys = append $keys .tokenKey -}}{{- end -}}
{{- $tokens := list -}}
{{- range uniq $keys -}}{{- $tokens = append $tokens (dict "key" . "path" .) -}}{{- end -}}
{{- range $volumes -}}
{{- if eq .name "data" -}}
{{- if $v.persistence.enabled -}}
{{- $_ := set .persistentVolumeClaim "claimName" (default (printf "%s-data" $name) $v.persistence.existingClaim) -}}
{{- else -}}
{{- $_ := unset . "persistentVolumeClaim" -}}
{{- $_ := set . "emptyDir" dict -}}
{{- end -}}
{{- else if has .name (list "config" "mappings" "shipper") -}}
{{- $_ := set .configMap "name" (printf "%s-%s" $name .name) -}}
{{- else if has .name (list "token" "azure" "broker") -}}
{{- $_ := set .secret "secretName" $secret -}}
{{- if eq .name "token" -}}{{- $_ := set .secret "items" $tokens -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- $_ := set $spec "serviceAccountName" (include "sentinelone-source.account" .) -}}
{{- $_ := set $spec "initContainers" $before -}}
{{- $_ := set $spec "containers" (list $source) -}}
{{- $_ := set $spec "volumes" $volumes -}}
{{- range list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" -}}
{{- $given := index $v . -}}
{{- if $given -}}{{- $_ := set $spec . $given -}}{{- end -}}
{{- end -}}
metadata:
  labels:
    {{- include "sentinelone-source.selector" . | nindent 4 }}
    app.kubernetes.io/part-of: sentinelone-source
    {{- range $key, $value := merge (dict) $v.podLabels (default dict (default dict $overlay.metadata).labels) }}
    {{ $key }}: {{ toJson $value }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: source
    checksum/configuration: {{ include (print $.Template.BasePath "/configuration.yaml") . | sha256sum }}
    {{- range $key, $value := merge (dict) $v.podAnnotations (default dict (default dict $overlay.metadata).annotations) }}
    {{ $key }}: {{ toJson $value }}
    {{- end }}
spec:
  {{- toYaml $spec | nindent 2 }}
{{- end -}}
