{{- define "zopnight-service.fullname" -}}
{{- .Release.Name -}}
{{- end -}}

{{- /* The selector of a Deployment cannot change: nothing that varies may go in here. */ -}}
{{- define "zopnight-service.selectorLabels" -}}
app.kubernetes.io/name: zopnight-service
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "zopnight-service.revision" -}}
zopnight.dev/deployment: {{ required "zopnight.deployment is required" .Values.zopnight.deployment | quote }}
zopnight.dev/revision: {{ required "zopnight.revision is required" .Values.zopnight.revision | quote }}
zopnight.dev/commit: {{ required "zopnight.commit is required" .Values.zopnight.commit | quote }}
{{- end -}}

{{- /* Helm removes "<no value>" from what a template writes; spelled with an escape, a text of the user's survives. */ -}}
{{- define "zopnight-service.envData" -}}
{{- range $name, $value := .Values.env }}
{{ $name | quote }}: {{ $value | quote | replace "<no value>" "\\x3cno value>" }}
{{- end }}
{{- end -}}

{{- define "zopnight-service.image" -}}
{{- $image := required "image is required" .Values.image -}}
{{- if not (contains "@sha256:" $image) -}}
{{- fail "image must be given by digest: registry/repository@sha256:…" -}}
{{- end -}}
{{- $image | quote -}}
{{- end -}}

{{- define "zopnight-service.smallest" -}}
{{- if .Values.autoscaling.enabled -}}{{ int .Values.autoscaling.min }}{{- else -}}{{ int .Values.replicas }}{{- end -}}
{{- end -}}

{{- define "zopnight-service.handler" -}}
{{- if .path -}}
httpGet:
  path: {{ .path | quote }}
  port: http
{{- else -}}
tcpSocket:
  port: http
{{- end -}}
{{- end -}}
