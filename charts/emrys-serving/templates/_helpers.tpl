{{/* Names and labels. */}}
{{- define "emrys-serving.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: "-canary" and the hash of a pod come behind. */}}
{{- define "emrys-serving.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "emrys-serving.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "emrys-serving.identity" -}}
app.kubernetes.io/name: {{ include "emrys-serving.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Every pod that serves, of all releases. */}}
{{- define "emrys-serving.selector" -}}
{{ include "emrys-serving.identity" . }}
app.kubernetes.io/component: server
{{- end -}}

{{- define "emrys-serving.labels" -}}
{{ include "emrys-serving.identity" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: emrys
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "emrys-serving.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "emrys-serving.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Reference of an image: name and digest, or name and tag. Takes {repository, tag, digest}. */}}
{{- define "emrys-serving.image" -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository .tag -}}
{{- end -}}
{{- end -}}

{{/* The server's image of a release. A tag of the release's own comes before the digest of all. Takes {root, release}. */}}
{{- define "emrys-serving.serverImage" -}}
{{- $all := .root.Values.image -}}
{{- $own := default dict .release.image -}}
{{- $tag := default (default .root.Chart.AppVersion $all.tag) $own.tag -}}
{{- $digest := $own.digest -}}
{{- if not (or $own.digest $own.tag $own.repository) -}}
{{- $digest = $all.digest -}}
{{- end -}}
{{- include "emrys-serving.image" (dict "repository" (default $all.repository $own.repository) "tag" $tag "digest" $digest) -}}
{{- end -}}

{{/* Folder that Triton loads. Takes a repository. */}}
{{- define "emrys-serving.models" -}}
{{- if eq .source "claim" -}}
{{- printf "/repository/%s" .claim.path | trimSuffix "/" -}}
{{- else if and (eq .source "image") (eq .image.mount "volume") -}}
{{- printf "/repository%s" .image.path | trimSuffix "/" -}}
{{- else -}}
/repository/models
{{- end -}}
{{- end -}}

{{/* Name of the custom metric: one per ensemble, since the adapter's rule names its models. */}}
{{- define "emrys-serving.metric" -}}
{{- printf "emrys_%s_queue_us_per_request" (.Values.model.name | replace "-" "_" | lower) -}}
{{- end -}}

{{/* Pods of the canary. Without a gateway: what comes closest to its weight beside the stable release's pods. */}}
{{- define "emrys-serving.canaryReplicas" -}}
{{- if .Values.gateway.enabled -}}
{{- .Values.canary.replicas -}}
{{- else -}}
{{- $stable := int (include "emrys-serving.stableReplicas" .) -}}
{{- $weight := int .Values.canary.weight -}}
{{- max 1 (round (divf (mulf $stable $weight) (sub 100 $weight)) 0 | int) -}}
{{- end -}}
{{- end -}}

{{- define "emrys-serving.stableReplicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}

{{/* What is common to every container: no root, nothing written but volumes, no capability. */}}
{{- define "emrys-serving.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "emrys-serving.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.security.runAsUser }}
runAsGroup: {{ .Values.security.runAsGroup }}
fsGroup: {{ .Values.security.fsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* What the schema cannot say. */}}
{{- define "emrys-serving.check" -}}
{{- if and .Values.shadow.enabled (not .Values.gateway.enabled) -}}
{{- fail "shadow.enabled needs gateway.enabled: plain Kubernetes cannot copy requests" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not (or .Values.gateway.http.enabled .Values.gateway.grpc.enabled)) -}}
{{- fail "gateway.enabled needs gateway.http.enabled or gateway.grpc.enabled" -}}
{{- end -}}
{{- if .Values.compare.enabled -}}
{{- if not (index .Values .Values.compare.candidate).enabled -}}
{{- fail (printf "compare.candidate is %q, and %s.enabled is false" .Values.compare.candidate .Values.compare.candidate) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas (%d) is over autoscaling.maxReplicas (%d)" (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- $ports := list (int .Values.ports.http) (int .Values.ports.grpc) (int .Values.ports.metrics) -}}
{{- if ne (len (uniq $ports)) 3 -}}
{{- fail (printf "ports.http, ports.grpc and ports.metrics must differ, got %s" (join ", " $ports)) -}}
{{- end -}}
{{- end -}}
