# Shows a Windows toast: toast.ps1 TITLE TEXT. Both are set as text nodes, so neither is read as markup.
param([Parameter(Mandatory = $true)][string]$Title, [Parameter(Mandatory = $true)][string]$Text)
$ErrorActionPreference = 'Stop'
[Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime] | Out-Null
$template = [Windows.UI.Notifications.ToastTemplateType]::ToastText02
$content = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($template)
$lines = $content.GetElementsByTagName('text')
$lines.Item(0).AppendChild($content.CreateTextNode($Title)) | Out-Null
$lines.Item(1).AppendChild($content.CreateTextNode($Text)) | Out-Null
$sender = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe'
$toast = [Windows.UI.Notifications.ToastNotification]::new($content)
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($sender).Show($toast)
