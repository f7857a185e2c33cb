{{- define "sentinelone-source.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* One name for everything of a release, so that several releases fit into a namespace. */}}
{{- define "sentinelone-source.fullname" -}}
{{- $name := include "sentinelone-source.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sentinelone-source.selector" -}}
app.kubernetes.io/name: {{ include "sentinelone-source.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sentinelone-source.metadata" -}}
name: {{ include "sentinelone-source.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "sentinelone-source.selector" . | nindent 2 }}
  app.kubernetes.io/part-of: sentinelone-source
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
  helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "sentinelone-source.secret" -}}
{{- default (include "sentinelone-source.fullname" .) .Values.existingSecret -}}
{{- end -}}

{{- define "sentinelone-source.account" -}}
{{- default (include "sentinelone-source.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "sentinelone-source.image" -}}
{{- $image := .Values.image -}}
{{- required "image.repository: the image that you built from deploy/Dockerfile" $image.repository }}:{{ default .Chart.AppVersion $image.tag -}}
{{- end -}}

{{- define "sentinelone-source.has-broker" -}}
{{- if and (eq .Values.shipper.kind "fluent-bit") (eq .Values.identity "workload-identity") }}yes{{ end -}}
{{- end -}}
