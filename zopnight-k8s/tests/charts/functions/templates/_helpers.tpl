{{- define "functions.name" -}}
{{ .Release.Name }}/{{ .Chart.Name }}
{{- end -}}
{{- define "functions.missing" -}}
{{ .Values.absent }}
{{- end -}}
